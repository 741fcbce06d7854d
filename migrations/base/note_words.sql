CREATE TABLE note_words (
    user_id bigint NOT NULL,
    application_id bigint NOT NULL,
    note_id bigint NOT NULL,
    note_ids bigint[] NOT NULL,
    words tsvector NOT NULL,
    CONSTRAINT pk_note_words PRIMARY KEY (user_id, application_id, note_id),
    CONSTRAINT fk_note_words_user_id_application_id_jobs
        FOREIGN KEY (user_id, application_id) REFERENCES jobs (user_id, id) ON DELETE CASCADE
) WITH (toast_tuple_target = 8160);
ALTER TABLE note_words ALTER COLUMN words SET STORAGE EXTERNAL;

-- pg_column_size() is not immutable, so that Citus allows it in no UPDATE.
CREATE FUNCTION add_words_of_note(
    of_user bigint, of_job bigint, new_id bigint, body text
) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    new_words tsvector := weighed_words(body, 'D');
    last_row bigint;
    has_room boolean;
BEGIN
    SELECT note_id, pg_column_size(words) < 6000 AND cardinality(note_ids) < 200
    INTO last_row, has_room FROM note_words
    WHERE user_id = of_user AND application_id = of_job ORDER BY note_id DESC LIMIT 1;
    IF has_room THEN
        UPDATE note_words SET words = words || new_words, note_ids = note_ids || new_id
        WHERE user_id = of_user AND application_id = of_job AND note_id = last_row;
    ELSE
        INSERT INTO note_words (user_id, application_id, note_id, note_ids, words)
        VALUES (of_user, of_job, new_id, ARRAY[new_id], new_words);
    END IF;
END $$;

-- The words of a job that is being deleted are deleted by their foreign key.
CREATE FUNCTION remove_words_of_note(of_user bigint, of_job bigint, old_id bigint)
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    same_row bigint[];
    other record;
BEGIN
    IF NOT EXISTS (SELECT FROM jobs WHERE user_id = of_user AND id = of_job) THEN
        RETURN;
    END IF;
    DELETE FROM note_words
    WHERE user_id = of_user AND application_id = of_job AND old_id = ANY (note_ids)
    RETURNING note_ids INTO same_row;
    FOR other IN
        SELECT id, body FROM notes
        WHERE user_id = of_user AND application_id = of_job
            AND id = ANY (same_row) AND id <> old_id
        ORDER BY id
    LOOP
        PERFORM add_words_of_note(of_user, of_job, other.id, other.body);
    END LOOP;
END $$;
