-- After a restore the receiver may hold another content under an own id than the one just planned anew. What
-- they hold may then be written down, by this function alone and of nothing that was ever tried: the app itself
-- has no right to change the content's hash.

CREATE FUNCTION take_over_content(own_ids TEXT[], hashes TEXT[]) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE effects e SET content_sha256 = t.sha256, state = 'accepted', reason = 'taken_over'
    FROM unnest(own_ids, hashes) t (own_id, sha256)
    WHERE e.own_id = t.own_id AND e.attempts = 0 AND e.state IN ('planned', 'superseded')
$$;

REVOKE ALL ON FUNCTION take_over_content(TEXT[], TEXT[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_over_content(TEXT[], TEXT[]) TO shenguan_app;
