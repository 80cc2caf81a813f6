//! The description of a schema: plain data. What refers to something names it; nothing is ever renamed.

use std::collections::BTreeSet;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    pub major: u32,
    /// One that the servers of the major have. It stays: what no declaration names is nobody's to drop.
    pub extension: Option<&'static str>,
    /// All schemas, `public` first.
    pub schemas: Vec<Namespace>,
    pub enums: Vec<Enum>,
    pub domains: Vec<Domain>,
    pub sequences: Vec<Sequence>,
    pub functions: Vec<Function>,
    pub tables: Vec<Table>,
    /// In an order in which they can be created.
    pub views: Vec<View>,
    /// All names ever given, so that none is given twice.
    pub used: BTreeSet<String>,
    /// Tables may hold rows already: what is new must suit them.
    pub mutating: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Namespace {
    pub name: String,
    pub facets: Facets,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub schema: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facets {
    pub owner: Option<String>,
    pub comment: Option<String>,
    pub grants: Vec<Grant>,
    /// PUBLIC may not, though by default it may.
    pub private: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// A role, or `public`.
    pub role: String,
    pub privileges: Vec<&'static str>,
    /// Of these columns alone, if any.
    pub columns: Vec<String>,
    pub grant_option: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    pub name: Name,
    pub labels: Vec<String>,
    /// The label that rows hold; it is never removed.
    pub held: String,
    /// Labels that the schema it was made from calls otherwise: their names there and here.
    pub renamed: Vec<(String, String)>,
    pub facets: Facets,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    pub name: Name,
    pub base: Type,
    pub default: Option<String>,
    pub not_null: bool,
    /// Names and conditions on VALUE.
    pub checks: Vec<(String, String)>,
    pub collation: Option<&'static str>,
    pub facets: Facets,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    pub name: Name,
    pub kind: &'static str,
    pub start: i64,
    pub increment: i64,
    pub max: Option<i64>,
    pub cache: u32,
    pub cycle: bool,
    pub owned_by: Option<(Name, String)>,
    pub facets: Facets,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub name: Name,
    pub procedure: bool,
    pub arguments: Vec<Argument>,
    pub returns: String,
    pub language: &'static str,
    pub body: String,
    pub atomic: bool,
    pub volatility: &'static str,
    pub strict: bool,
    pub security_definer: bool,
    pub search_path: Option<&'static str>,
    pub parallel: &'static str,
    pub cost: Option<u32>,
    pub purpose: Purpose,
    pub needs: Vec<Need>,
    pub facets: Facets,
}

/// What others may use a function for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Purpose {
    /// `bigint` to a number, immutable: checks, indexes, generated columns, defaults.
    Number,
    /// No arguments, `text`, stable: policies.
    Tenant,
    Trigger,
    Other,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// `""`, `in`, `inout`, `out` or `variadic`.
    pub mode: &'static str,
    pub name: String,
    pub kind: Type,
    pub default: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub name: Name,
    pub unlogged: bool,
    pub columns: Vec<Column>,
    pub primary_key: Option<UniqueKey>,
    pub uniques: Vec<UniqueKey>,
    pub checks: Vec<Check>,
    pub foreign_keys: Vec<ForeignKey>,
    pub exclusions: Vec<Exclusion>,
    pub indexes: Vec<Index>,
    pub row_security: RowSecurity,
    pub policies: Vec<Policy>,
    pub triggers: Vec<Trigger>,
    pub with: Vec<(&'static str, &'static str)>,
    /// `full` or `nothing`.
    pub replica_identity: Option<&'static str>,
    pub facets: Facets,
    /// Made by a mutation: holds no rows.
    pub fresh: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub kind: Type,
    pub not_null: bool,
    pub default: Option<Expr>,
    pub identity: Option<Identity>,
    pub serial: bool,
    pub generated: Option<Expr>,
    pub collation: Option<&'static str>,
    pub storage: Option<&'static str>,
    pub compression: Option<&'static str>,
    pub statistics: Option<u32>,
    pub comment: Option<String>,
    /// Some row holds a null.
    pub nulls: bool,
    /// Made by a mutation: all rows hold the same.
    pub fresh: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    pub always: bool,
    pub start: u32,
    pub increment: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deferral {
    No,
    Deferrable,
    Initially,
}

#[derive(Clone, Debug, PartialEq)]
pub struct UniqueKey {
    /// Without a name PostgreSQL derives it.
    pub name: Option<String>,
    pub columns: Vec<String>,
    pub include: Vec<String>,
    pub deferral: Deferral,
    pub nulls_not_distinct: bool,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub name: Option<String>,
    pub condition: Expr,
    pub no_inherit: bool,
    pub not_valid: bool,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ForeignKey {
    pub name: Option<String>,
    pub columns: Vec<String>,
    pub references: Name,
    pub referenced: Vec<String>,
    pub match_full: bool,
    pub on_delete: &'static str,
    pub on_update: &'static str,
    /// `on delete set null (...)`.
    pub set_columns: Vec<String>,
    pub deferral: Deferral,
    pub not_valid: bool,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Exclusion {
    pub name: String,
    /// Of type int4range.
    pub column: String,
    pub predicate: Option<Expr>,
    pub deferral: Deferral,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    pub name: String,
    pub unique: bool,
    pub using: &'static str,
    pub keys: Vec<Expr>,
    pub include: Vec<String>,
    pub predicate: Option<Expr>,
    pub with: Option<(&'static str, &'static str)>,
    pub nulls_not_distinct: bool,
    pub comment: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowSecurity {
    Off,
    Enabled,
    Forced,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub name: String,
    pub restrictive: bool,
    pub command: &'static str,
    /// Empty is PUBLIC.
    pub roles: Vec<String>,
    pub using: Option<Expr>,
    pub check: Option<Expr>,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    pub name: String,
    pub timing: &'static str,
    pub events: Vec<&'static str>,
    pub update_of: Vec<String>,
    pub row: bool,
    pub when: Option<Expr>,
    /// The signature of a function for triggers.
    pub function: String,
    pub arguments: Vec<String>,
    /// `""` is origin; else `disable`, `enable replica`, `enable always`.
    pub enabled: &'static str,
    pub constraint: Option<Deferral>,
    pub transition: bool,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub name: Name,
    pub materialized: bool,
    pub query: Expr,
    pub outputs: Vec<(String, Type)>,
    /// Selects from one relation without more ado.
    pub simple: bool,
    pub options: Vec<(&'static str, &'static str)>,
    pub with_data: bool,
    pub indexes: Vec<Index>,
    pub facets: Facets,
}

/// SQL and what it stands on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expr {
    pub sql: String,
    /// Columns of the table it belongs to.
    pub columns: Vec<String>,
    pub needs: Vec<Need>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Need {
    /// By signature.
    Function(String),
    Relation(Name),
    Column(Name, String),
    /// A primary key of exactly these columns.
    PrimaryKey(Name, Vec<String>),
    Type(Name),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    SmallInt,
    Int,
    BigInt,
    Numeric(u32, u32),
    Double,
    Text,
    Varchar(u32),
    Bool,
    Uuid,
    Date,
    Timestamptz,
    Interval,
    Jsonb,
    Bytea,
    Int4Range,
    TsVector,
    /// Of the extension `vector`, with three dimensions.
    Vector,
    /// Of the extension `citext`.
    Citext,
    Enum(Name),
    Domain(Name),
    Array(Box<Type>),
}

/// Types whose values compare with one another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    Integer,
    Numeric,
    Text,
    Uuid,
    Date,
    Timestamptz,
    /// Not for keys.
    Other,
}

pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        return format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    }
    format!("'{}'", text.replace('\'', "''"))
}

pub fn list<T: AsRef<str>>(names: &[T]) -> String {
    names.iter().map(|name| quote(name.as_ref())).collect::<Vec<_>>().join(", ")
}

impl Name {
    pub fn sql(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

impl Type {
    pub fn sql(&self) -> String {
        match self {
            Type::SmallInt => "smallint".into(),
            Type::Int => "integer".into(),
            Type::BigInt => "bigint".into(),
            Type::Numeric(precision, scale) => format!("numeric({precision},{scale})"),
            Type::Double => "double precision".into(),
            Type::Text => "text".into(),
            Type::Varchar(length) => format!("varchar({length})"),
            Type::Bool => "boolean".into(),
            Type::Uuid => "uuid".into(),
            Type::Date => "date".into(),
            Type::Timestamptz => "timestamptz".into(),
            Type::Interval => "interval".into(),
            Type::Jsonb => "jsonb".into(),
            Type::Bytea => "bytea".into(),
            Type::Int4Range => "int4range".into(),
            Type::TsVector => "tsvector".into(),
            Type::Vector => "public.vector(3)".into(),
            Type::Citext => "public.citext".into(),
            Type::Enum(name) | Type::Domain(name) => name.sql(),
            Type::Array(of) => format!("{}[]", of.sql()),
        }
    }

    pub fn family(&self) -> Family {
        match self {
            Type::SmallInt | Type::Int | Type::BigInt => Family::Integer,
            Type::Numeric(..) => Family::Numeric,
            Type::Text | Type::Varchar(_) => Family::Text,
            Type::Uuid => Family::Uuid,
            Type::Date => Family::Date,
            Type::Timestamptz => Family::Timestamptz,
            Type::Double
            | Type::Bool
            | Type::Interval
            | Type::Jsonb
            | Type::Bytea
            | Type::Int4Range
            | Type::TsVector
            | Type::Vector
            | Type::Citext
            | Type::Enum(_)
            | Type::Domain(_)
            | Type::Array(_) => Family::Other,
        }
    }

    /// Different rows hold different values of it.
    pub fn distinct(&self) -> bool {
        self.family() != Family::Other
    }

    /// The extension that it comes from.
    pub fn extension(&self) -> Option<&'static str> {
        match self {
            Type::Vector => Some("vector"),
            Type::Citext => Some("citext"),
            Type::Array(of) => of.extension(),
            _ => None,
        }
    }

    /// The type of a user that it stands on.
    pub fn user(&self) -> Option<&Name> {
        match self {
            Type::Enum(name) | Type::Domain(name) => Some(name),
            Type::Array(of) => of.user(),
            _ => None,
        }
    }
}

impl Function {
    /// What tells it from its overloads.
    pub fn signature(&self) -> String {
        let kinds: Vec<String> = self.arguments.iter().map(|argument| argument.kind.sql()).collect();
        format!("{}({})", self.name.sql(), kinds.join(", "))
    }

    /// Stands on no relation, and so may come before tables.
    pub fn early(&self) -> bool {
        self.needs.iter().all(|need| matches!(need, Need::Type(_) | Need::Function(_)))
    }
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn keys(&self) -> impl Iterator<Item = &UniqueKey> {
        self.primary_key.iter().chain(&self.uniques)
    }
}

impl Column {
    /// A value can be given.
    pub fn plain(&self) -> bool {
        self.generated.is_none()
    }
}

impl Schema {
    pub fn table(&self, name: &Name) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == *name)
    }

    pub fn view(&self, name: &Name) -> Option<&View> {
        self.views.iter().find(|view| view.name == *name)
    }

    pub fn enumeration(&self, name: &Name) -> Option<&Enum> {
        self.enums.iter().find(|one| one.name == *name)
    }

    pub fn domain(&self, name: &Name) -> Option<&Domain> {
        self.domains.iter().find(|one| one.name == *name)
    }
}
