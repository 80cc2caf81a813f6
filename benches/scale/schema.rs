//! The benchmark schema, twice: as DDL for psql and as a declaration.
//!
//! Tables of the tenant-scoped kind: 12 columns, an identity key, two foreign keys, two checks, four
//! indexes of which one is GIN, row security forced, four policies. The first foreign key of all
//! tables is to one table of tenants; the second is to the first table of a hundred.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// How many tables share a parent and a file.
const TOGETHER: usize = 100;

const IS_MINE: &str = "tenant_id = get_current_tenant() or is_superadmin()";
const CURRENT_TENANT: &str = "select nullif(current_setting('app.current_tenant', true), '')::uuid";
const IS_SUPERADMIN: &str = "select coalesce(nullif(current_setting('app.superadmin', true), '')::boolean, false)";

fn table(at: usize) -> String {
    format!("t_{at:05}")
}

fn parent(at: usize) -> String {
    table(at / TOGETHER * TOGETHER)
}

/// Writes the DDL, as one would write it by hand, without a transaction around it.
pub fn write_ddl(path: &Path, tables: usize) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "create function get_current_tenant() returns uuid language sql stable as $$ {CURRENT_TENANT} $$;")?;
    writeln!(out, "create function is_superadmin() returns boolean language sql stable as $$ {IS_SUPERADMIN} $$;")?;
    writeln!(out, "create table tenants (id uuid primary key default gen_random_uuid(), name text not null);")?;
    for at in 0..tables {
        let (t, parent) = (table(at), parent(at));
        write!(
            out,
            "create table {t} (
  id bigint generated always as identity primary key,
  parent_id bigint references {parent} (id) on delete set null,
  name text not null,
  status varchar(20) not null default 'draft',
  amount numeric(12,2),
  quantity integer not null default 1,
  tags text[] not null default '{{}}',
  metadata jsonb not null default '{{}}',
  note text,
  tenant_id uuid not null references tenants (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint {t}_status_check check (status in ('draft', 'open', 'done')),
  constraint {t}_quantity_check check (quantity between 1 and 1000)
);
create index idx_{t}_tenant on {t} (tenant_id);
create index idx_{t}_created on {t} (tenant_id, created_at desc);
create index idx_{t}_parent on {t} (parent_id);
create index idx_{t}_metadata on {t} using gin (metadata jsonb_path_ops);
alter table {t} enable row level security, force row level security;
create policy {t}_select on {t} for select using ({IS_MINE});
create policy {t}_insert on {t} for insert with check ({IS_MINE});
create policy {t}_update on {t} for update using ({IS_MINE}) with check ({IS_MINE});
create policy {t}_delete on {t} for delete using ({IS_MINE});
"
        )?;
    }
    out.flush()
}

/// Writes the declaration of the same: one file for all that is common, one for each hundred tables.
pub fn write_declaration(directory: &Path, tables: usize) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let common = format!(
        "pgplumb: 1
postgres: 14
schemas: [public]

tenancy:
  root: tenants
  column: tenant_id
  current: get_current_tenant()
  bypass: is_superadmin()

templates:
  tenant_scoped:
    columns:
      tenant_id:
        type: uuid
        not_null: true
        references: tenants (id) on delete cascade
      created_at: timestamptz not null default now()
      updated_at: timestamptz not null default now()
    checks:
      ${{table}}_status_check: status in ('draft', 'open', 'done')
      ${{table}}_quantity_check: quantity between 1 and 1000
    indexes:
      idx_${{table}}_tenant: tenant_id
      idx_${{table}}_created: tenant_id, created_at desc
      idx_${{table}}_parent: parent_id
      idx_${{table}}_metadata: {{ using: gin, keys: metadata jsonb_path_ops }}
    rls: forced
    policies:
      ${{table}}_select:
        for: select
        using: {IS_MINE}
      ${{table}}_insert:
        for: insert
        check: {IS_MINE}
      ${{table}}_update:
        for: update
        using: {IS_MINE}
        check: {IS_MINE}
      ${{table}}_delete:
        for: delete
        using: {IS_MINE}

tables:
  tenants:
    columns:
      id: uuid primary key default gen_random_uuid()
      name: text not null

functions:
  get_current_tenant():
    returns: uuid
    language: sql
    stable: true
    body: \" {CURRENT_TENANT} \"
  is_superadmin():
    returns: boolean
    language: sql
    stable: true
    body: \" {IS_SUPERADMIN} \"
"
    );
    fs::write(directory.join("common.yaml"), common)?;
    for first in (0..tables).step_by(TOGETHER) {
        let mut out = BufWriter::new(File::create(directory.join(format!("{}.yaml", table(first))))?);
        writeln!(out, "tables:")?;
        for at in first..tables.min(first + TOGETHER) {
            let (t, parent) = (table(at), parent(at));
            write!(
                out,
                "  {t}:
    use: [tenant_scoped]
    columns:
      id: bigint generated always as identity primary key
      parent_id: bigint references {parent} (id) on delete set null
      name: text not null
      status: varchar(20) not null default 'draft'
      amount: numeric(12,2)
      quantity: integer not null default 1
      tags: text[] not null default '{{}}'
      metadata: jsonb not null default '{{}}'
      note: text
"
            )?;
        }
        out.flush()?;
    }
    Ok(())
}

/// Gives one table a new column, in whichever file declares a column `note`; the number makes it a
/// change each time. Gives the file and what stood there before.
pub fn change_one_table(directory: &Path, number: usize) -> io::Result<(std::path::PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = files(directory)?;
    files.sort();
    for path in files {
        let text = fs::read_to_string(&path)?;
        let Some(at) = text.find(" note: text\n") else { continue };
        let start = text[..at].rfind('\n').map_or(0, |line| line + 1);
        let indent = &text[start..=at];
        let end = at + " note: text\n".len();
        let changed = format!("{}{indent}extra_{number}: text\n{}", &text[..end], &text[end..]);
        fs::write(&path, changed)?;
        return Ok((path, text.into_bytes()));
    }
    Err(io::Error::other(format!("no file in {} declares a column `note: text`", directory.display())))
}

/// Writes the policies of the template another way. Gives the file and what stood there before.
pub fn change_template(directory: &Path) -> io::Result<(std::path::PathBuf, Vec<u8>)> {
    let path = directory.join("common.yaml");
    let text = fs::read_to_string(&path)?;
    let changed = text.replace(IS_MINE, "is_superadmin() or tenant_id = get_current_tenant()");
    if changed == text {
        return Err(io::Error::other(format!("{} holds no policy", path.display())));
    }
    fs::write(&path, changed)?;
    Ok((path, text.into_bytes()))
}

/// All YAML files below a directory.
fn files(directory: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    Ok(found)
}
