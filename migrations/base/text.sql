CREATE FUNCTION rung_of(status text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE status
    WHEN 'saved' THEN 1
    WHEN 'applied' THEN 2
    WHEN 'recruiter_screen' THEN 3
    WHEN 'interviewing' THEN 4
    WHEN 'onsite' THEN 4
    WHEN 'offer' THEN 5
    WHEN 'accepted' THEN 6
END;

CREATE FUNCTION rank_of(status text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN array_position(
    ARRAY['saved', 'applied', 'recruiter_screen', 'interviewing', 'onsite', 'offer', 'accepted',
          'rejected', 'withdrawn', 'ghosted', 'archived'],
    status) - 1;

-- Compatibility decomposition, and one case. The case conversions of PostgreSQL's providers
-- differ in what upper() and lower() together do to these letters alone. Normalization sorts each
-- sequence of combining characters, in quadratic time unless it is sorted already: the test for
-- the normal form does not sort, and other texts are divided by a character of class 0.
CREATE FUNCTION casefolded(string text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN translate(
    CASE WHEN octet_length(string) = length(string) THEN lower(string)
    ELSE replace(lower(upper(normalize(
        regexp_replace(
            regexp_replace(string, '[{IGNORABLE}]+', '', 'g'),
            CASE WHEN string IS NFKC NORMALIZED THEN '$.' ELSE '(\S{255})' END,
            '\1' || chr(847), 'g'),
        NFKD))), 'ß', 'ss')
    END, 'ςı', 'σi');

-- An index uses it: a change requires to build the index again.
CREATE FUNCTION fold(string text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN btrim(regexp_replace(
    replace(normalize(casefolded(string), NFKC), chr(847), ''), '[{BLANK}]+', ' ', 'g'));

CREATE FUNCTION unaccented(string text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN octet_length(string) = length(string) THEN casefolded(string)
    ELSE replace(normalize(replace(replace(replace(translate(
        regexp_replace(casefolded(string), '[{ACCENT}]+', '', 'g'),
        'øłđðħŧ', 'olddht'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'), NFKC), chr(847), '') END;

-- A word keeps "+" and "#" after it, and a "." before it. A text without spaces becomes pairs of
-- characters, and its last character.
CREATE FUNCTION words_in(string text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    words text := regexp_replace(unaccented(string), '[^[:alnum:]{MARK_OR_DIGIT}+#.]+', ' ', 'g');
BEGIN
    IF words ~ '[+#]' THEN
        words := regexp_replace(words, '(^|[ .{UNSPACED}])[+#]+', '\1', 'g');
        words := regexp_replace(
            words, '([[:alnum:]{MARK_OR_DIGIT}])\+(?=[[:alnum:]{MARK_OR_DIGIT}])', '\1 ', 'g');
        words := regexp_replace(words, '([+#])(?=[^+# ])', '\1 ', 'g');
    END IF;
    IF strpos(words, '.') > 0 THEN
        words := regexp_replace(words, '\.\.+|\.(?![^ {UNSPACED}])', ' ', 'g');
        words := replace(words, '.', ' .');
    END IF;
    IF octet_length(words) <> length(words) AND words ~ '[{UNSPACED}]' THEN
        words := regexp_replace(words,
            '(?<=[{UNSPACED}])(?=[^{UNSPACED} ])|(?<=[^{UNSPACED} ])(?=[{UNSPACED}])',
            ' ', 'g');
        words := regexp_replace(words, '(?<=[{UNSPACED}])([{UNSPACED}])', '\1 \1', 'g');
    END IF;
    RETURN btrim(regexp_replace(words, ' +', ' ', 'g'));
END $$;

-- The words of a search. One that is written without spaces ("CI/CD", "node.js", a text in a
-- script without spaces) has several parts, which have to follow each other. A single character
-- of such a script is the beginning of a pair.
CREATE FUNCTION parts_of_query(query text, max_words bigint)
RETURNS TABLE (word bigint, number bigint, part text, is_prefix boolean)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT word, number, CASE WHEN number = 1 THEN part ELSE ltrim(part, '.') END,
           length(part) = 1 AND part ~ '[{UNSPACED}]'
    FROM (
        SELECT position AS word, words FROM (
            SELECT row_number() OVER (ORDER BY position) AS position, words
            FROM regexp_split_to_table(
                     unaccented(query), '[^[:alnum:]{MARK_OR_DIGIT}+#./&''\u2019_\u00B7\u2010-]+'
                 ) WITH ORDINALITY AS split (chunk, position),
                 words_in(chunk) AS words
            WHERE words <> ''
        ) AS chunks WHERE position <= max_words
    ) AS first_words,
    LATERAL (
        SELECT part, number, lag(part) OVER in_order AS previous,
               lead(part) OVER in_order AS next
        FROM string_to_table(words, ' ') WITH ORDINALITY AS split (part, number)
        WHERE number <= 32 WINDOW in_order AS (ORDER BY number)
    ) AS parts
    -- The last character alone is in the pair before it, and need not be the last of a text.
    WHERE next IS NOT NULL OR length(part) > 1
        OR NOT coalesce(previous ~ '^[{UNSPACED}]{2}$', false);
END;

-- As the input of a tsvector: words_in() has none of its special characters. A word with "." or
-- "+" is also the word without, except for "c" in "C++". The lexeme "/" ends a text.
CREATE FUNCTION weighed_words(string text, weight "char") RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    words text := coalesce(words_in(string), '');
    suffix text := weight::text || ' ';
BEGIN
    IF words ~ '[.+#]' THEN
        words := regexp_replace(words, '(^| )\.([^ ]+)', '\1\2|.\2', 'g');
        words := regexp_replace(words, '(^| )(?![a-z][+#])([^ +#|]+)([+#]+)', '\1\2|\2\3', 'g');
    END IF;
    RETURN (
        SELECT string_agg(
            replace(left(word, 500), '|', ':' || position || suffix)
            || ':' || position || suffix, '')
        FROM string_to_table(ltrim(words || ' /'), ' ')
                 WITH ORDINALITY AS split (word, position)
    )::tsvector;
END $$;

CREATE FUNCTION folded(texts text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ARRAY(SELECT key FROM unnest(texts) AS each (string), fold(string) AS key
             WHERE key <> '');

-- When a job was applied for at a date: at noon in UTC, which is on that date in nearly all time
-- zones; on the day of the recording or of not_after, then. Null for a date after not_after (by
-- 14 hours, so that it is after it in all time zones), and for one that no step can have.
CREATE FUNCTION applied_at(
    applied_on date, recorded_at timestamptz, not_after timestamptz
) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN applied_on < '1970-01-01' OR not_after < timestamptz '1970-01-01 00:00:00+00' THEN NULL
    WHEN applied_on = (recorded_at AT TIME ZONE 'UTC')::date THEN recorded_at
    WHEN applied_on < (not_after AT TIME ZONE 'UTC')::date
    THEN (applied_on + time '12:00') AT TIME ZONE 'UTC'
    WHEN applied_on <= ((not_after + interval '14 hours') AT TIME ZONE 'UTC')::date
    THEN not_after
END;

CREATE FUNCTION rfc_3339(moment timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN replace(
    to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z');

-- The microseconds since 2026, and two random bits: below 2**53 until 2097. A time is not
-- repeated by a restore, a promotion or a sequence that is reset.
CREATE FUNCTION new_user_id() RETURNS bigint LANGUAGE sql VOLATILE
RETURN (extract(epoch FROM clock_timestamp() - timestamptz '2026-01-01 00:00:00+00')
        * 1000000)::bigint * 4 + floor(random() * 4)::bigint;

-- Each text ends with "/", so that no phrase continues from one to the next.
CREATE FUNCTION words_of_job(company_name text, job_title text, tags text[], location text)
RETURNS tsvector LANGUAGE sql STABLE PARALLEL SAFE
RETURN weighed_words(company_name, 'A') || weighed_words(job_title, 'A')
    || weighed_words(array_to_string(tags, ' '), 'B') || weighed_words(location, 'C');

CREATE FUNCTION folded_texts(company_name text, job_title text, location text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN fold(company_name) || E'\n' || fold(job_title) || E'\n' || coalesce(fold(location), '');

-- The transaction ids of one start of PostgreSQL are unique. After a restore or a promotion they
-- can come again, but with another time of the start, and the transaction began at another time,
-- which also holds for a snapshot of a virtual machine with its memory. 59 bits: 18 digits at
-- most.
CREATE FUNCTION transaction_nonce() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT hashfloat8extended(
        date_part('epoch', now()),
        hashfloat8extended(
            date_part('epoch', pg_postmaster_start_time()),
            pg_current_xact_id()::text::bigint
        )
    ) & 576460752303423487
$$;
