-- == no statement
SET timezone = 'UTC';
-- == another statement
UPDATE users SET id = 1;
-- == unterminated
INSERT INTO x SELECT 'abc FROM users;
-- == unknown column
INSERT INTO x
SELECT id,
       nonsense FROM users;
-- == syntax
INSERT INTO x SELECT id FROM FROM users;
-- == zone
SET timezone = 'Europe/Atlantis'; INSERT INTO x SELECT id FROM users;
-- == window function
INSERT INTO x SELECT id, row_number() OVER (ORDER BY id) FROM users;
-- == limit
INSERT INTO x SELECT id FROM users ORDER BY id LIMIT 3;
-- == distinct on
INSERT INTO x SELECT DISTINCT ON (role) role, id FROM users ORDER BY role, id;
-- == subquery in an expression
INSERT INTO x SELECT id FROM users WHERE id IN (SELECT technician_id FROM interventions) OR role = 'ADMIN';
-- == exists tied by an inequality
INSERT INTO x SELECT id FROM users u WHERE EXISTS (SELECT 1 FROM interventions i WHERE i.technician_id < u.id);
-- == exists with groups
INSERT INTO x SELECT id FROM users u WHERE EXISTS (SELECT count(*) FROM interventions i WHERE i.technician_id = u.id);
-- == correlated in
INSERT INTO x SELECT id FROM users u WHERE id IN (SELECT technician_id FROM interventions i WHERE i.reference = u.email);
-- == scalar subquery of as many rows as there are
INSERT INTO x SELECT id, (SELECT email FROM users WHERE id = 1) FROM things;
-- == scalar subquery tied to the row
INSERT INTO x SELECT id, (SELECT count(*) FROM interventions i WHERE i.technician_id = u.id) FROM users u;
-- == scalar subquery within an aggregate
INSERT INTO x SELECT sum(n - (SELECT avg(n) FROM things)) FROM things;
-- == full join
INSERT INTO x SELECT u.id FROM users u FULL JOIN interventions i ON i.technician_id = u.id;
-- == intersect
INSERT INTO x SELECT id FROM users INTERSECT SELECT id FROM interventions;
-- == recursive
INSERT INTO x WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r;
-- == volatile function
INSERT INTO x SELECT id, random() FROM users;
-- == function of the user
INSERT INTO x SELECT own(id::int) FROM users;
-- == unsupported function
INSERT INTO x SELECT id, md5(email) FROM users;
-- == unsupported aggregate
INSERT INTO x SELECT string_agg(email, ',') FROM users;
-- == regular expression
INSERT INTO x SELECT id FROM users WHERE email ~ 'a.*b';
-- == order of text
INSERT INTO x SELECT max(t COLLATE turkish) FROM things;
-- == letters of another locale
INSERT INTO x SELECT upper(t COLLATE turkish) FROM things;
-- == equality of arrays with several spellings
INSERT INTO x SELECT DISTINCT narr FROM things;
-- == equality of json
INSERT INTO x SELECT js, count(*) FROM things GROUP BY js;
-- == cast to a domain
INSERT INTO x SELECT id, n::amount FROM things;
-- == text to an enum
INSERT INTO x SELECT id, t::mood FROM things;
-- == array
INSERT INTO x SELECT id FROM things WHERE a = ANY (arr);
-- == json operator
INSERT INTO x SELECT j ->> 'a' FROM things;
-- == materialized view
INSERT INTO x SELECT n FROM stale;
-- == generated column
INSERT INTO x SELECT id, twice FROM generated;
-- == grouping sets
INSERT INTO x SELECT role, count(*) FROM users GROUP BY ROLLUP (role);
-- == continuous clock
INSERT INTO x SELECT id, now() - planned_at FROM interventions;
-- == zone abbreviation
INSERT INTO x SELECT id, planned_at AT TIME ZONE 'CET' FROM interventions;
-- == session
INSERT INTO x SELECT id, current_user FROM users;
-- == values
INSERT INTO x (a) SELECT id, email FROM users;
-- == no from
INSERT INTO x SELECT 1;
-- == lateral
INSERT INTO x SELECT u.id, l.n FROM users u, LATERAL (SELECT count(*) AS n FROM interventions i WHERE i.technician_id = u.id) l;
-- == function in from
INSERT INTO x SELECT g FROM generate_series(1, 3) g;
-- == inheritance
INSERT INTO x SELECT id FROM parent;
-- == pattern
INSERT INTO x SELECT to_char(planned_at, 'DDth TZ') FROM interventions;
