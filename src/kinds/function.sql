  and p.prokind in ('f', 'w')
