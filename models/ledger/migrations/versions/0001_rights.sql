-- What each role may do. The app changes rows, never tables; evidence it only adds to.
-- A later migration that adds a table grants on it too; a test looks at every table.

GRANT SELECT ON ALL TABLES IN SCHEMA public TO shenguan_app, shenguan_audit;
GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO shenguan_app;

-- Which schema a database has is the owner's to say.
REVOKE INSERT, UPDATE ON alembic_version FROM shenguan_app;

-- What happened is only added to.
REVOKE UPDATE ON history FROM shenguan_app;

-- What came in, what an effect says and under which id, and which try began when, never change:
-- only what became of them does.
REVOKE UPDATE ON inbox_raw, effect_bodies FROM shenguan_app;

REVOKE UPDATE ON inbox FROM shenguan_app;
GRANT UPDATE (outcome, reason, attempts, line_no, business_date) ON inbox TO shenguan_app;

REVOKE UPDATE ON effects FROM shenguan_app;
GRANT UPDATE (
    state, reason, doubtful, handover_id, lease_token, lease_until, attempts, deaths, not_before,
    send_after, answered_at, answered_business, receipt_number, receipt_at, receipt_account, owner,
    due_at, asked_by, confirmed_by, decided_by, decided_at
) ON effects TO shenguan_app;

REVOKE UPDATE ON effect_attempts FROM shenguan_app;
GRANT UPDATE (finished_at, outcome, answer) ON effect_attempts TO shenguan_app;

-- A version of the item list stays as it was published, for cases pin it.
REVOKE UPDATE ON catalog_versions, catalog_items FROM shenguan_app;

REVOKE UPDATE ON refused_secret FROM shenguan_app;

-- Nothing is dropped, ever: no table is granted DELETE or TRUNCATE.
