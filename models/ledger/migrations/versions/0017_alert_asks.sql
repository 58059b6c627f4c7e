-- Who was asked to tell people, and when: a matter is told (alerts) only with proof that the webhook took it.
CREATE TABLE alert_asks (
    kind VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    tries INTEGER NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_alert_asks PRIMARY KEY (kind, key, since),
    CONSTRAINT ck_alert_asks_tries_counted CHECK (tries > 0)
);

GRANT SELECT ON alert_asks TO shenguan_app, shenguan_audit;
GRANT INSERT, UPDATE (tries, asked_at) ON alert_asks TO shenguan_app;
