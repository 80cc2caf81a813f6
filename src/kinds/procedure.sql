  and p.prokind = 'p'
