create function f() returns int language plpgsql as E'begin\r\n return 1;\r\nend';
