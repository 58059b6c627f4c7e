CREATE TABLE alerts (
    kind VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    told_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_alerts PRIMARY KEY (kind, key, since)
);

GRANT SELECT ON alerts TO shenguan_app, shenguan_audit;
GRANT INSERT ON alerts TO shenguan_app;
