-- After a restore the receiver may hold another content under an own id than the one just planned anew. The
-- app may then write down what they hold; of anything that was ever tried the content's hash stays.

GRANT UPDATE (content_sha256) ON effects TO shenguan_app;

CREATE FUNCTION content_of_effects_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.attempts = 0 AND OLD.state IN ('planned', 'superseded')
        AND NEW.state = 'accepted' AND NEW.reason = 'taken_over' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the content of effect % stays what it was', OLD.own_id USING ERRCODE = 'restrict_violation';
END;
$$;

CREATE TRIGGER effects_content_stays BEFORE UPDATE OF content_sha256 ON effects
FOR EACH ROW WHEN (NEW.content_sha256 IS DISTINCT FROM OLD.content_sha256)
EXECUTE FUNCTION content_of_effects_stays();
