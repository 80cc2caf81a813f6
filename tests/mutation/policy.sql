-- Row security and its policies.

-- class: policy dropped
select format('drop policy %s on %s', q, tq),
       format('create policy %s on %s as %s for %s to %s%s%s%s', q, tq, case when permissive then 'permissive' else 'restrictive' end,
              word, roles, shown, checks, commented),
       array['missing ' || at]
from pol

-- class: policy added
select format('create policy mutated on %s using (true)', q), format('drop policy mutated on %s', q),
       array['extra ' || at || '/policy mutated']
from tab

-- class: policy renamed
select format('alter policy %s on %s rename to mutated', q, tq), format('alter policy mutated on %s rename to %s', tq, q),
       array['missing ' || at, 'extra ' || regexp_replace(at, '/policy .*', '/policy mutated')]
from pol

-- class: policy lets more rows through
select format('alter policy %s on %s using (true)', q, tq), format('alter policy %s on %s%s', q, tq, shown), array['changed[using] ' || at]
from pol where shown not in ('', ' using (true)')

-- class: policy lets more new rows through
select format('alter policy %s on %s with check (1 = 1)', q, tq), format('alter policy %s on %s%s', q, tq, checks),
       array['changed[check] ' || at]
from pol where checks <> ''

-- class: policy checks what it did not
select format('alter policy %s on %s with check (false)', q, tq), null, array['changed[check] ' || at]
from pol where checks = '' and command in ('*', 'w')

-- class: policy is for others
select format('alter policy %s on %s to clerk, boss', q, tq), format('alter policy %s on %s to %s', q, tq, roles), array['changed[to] ' || at]
from pol

-- class: policy is for another command
select format('drop policy %1$s on %2$s; create policy %1$s on %2$s as %3$s for %4$s to %5$s%6$s%7$s', q, tq,
              case when permissive then 'permissive' else 'restrictive' end, case command when 'r' then 'delete' else 'select' end, roles, shown,
              commented),
       null, array['changed[for] ' || at]
from pol where checks = '' and shown <> ''

-- class: policy restricts instead of permitting, or the reverse
select format('drop policy %1$s on %2$s; create policy %1$s on %2$s as %3$s for %4$s to %5$s%6$s%7$s%8$s', q, tq,
              case when permissive then 'restrictive' else 'permissive' end, word, roles, shown, checks, commented),
       format('drop policy %1$s on %2$s; create policy %1$s on %2$s as %3$s for %4$s to %5$s%6$s%7$s%8$s', q, tq,
              case when permissive then 'permissive' else 'restrictive' end, word, roles, shown, checks, commented),
       array['changed[restrictive] ' || at]
from pol

-- class: row security disabled
select format('alter table %s disable row level security', q), format('alter table %s enable row level security', q),
       array[case when forced then 'changed[enabled] ' else 'missing ' end || at || '/row security ']
from tab where secure

-- class: row security not forced
select format('alter table %s no force row level security', q), format('alter table %s force row level security', q),
       array['changed[forced] ' || at || '/row security ']
from tab where secure and forced

-- class: row security enabled
select format('alter table %s enable row level security', q), format('alter table %s disable row level security', q),
       array['extra ' || at || '/row security ']
from tab where not secure and not forced

-- class: row security forced
select format('alter table %s force row level security', q), format('alter table %s no force row level security', q),
       array['changed[forced] ' || at || '/row security ']
from tab where secure and not forced
