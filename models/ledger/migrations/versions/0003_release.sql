-- A release that nobody asked for passed: a comparison with nothing is not false.
ALTER TABLE effects DROP CONSTRAINT ck_effects_two_persons_release;
ALTER TABLE effects ADD CONSTRAINT ck_effects_two_persons_release CHECK (confirmed_by IS NULL OR (asked_by IS NOT NULL AND confirmed_by <> asked_by));
