create procedure p(a int) language sql as 'select 1'; create procedure gone() language sql as 'select 1';
