//! Drafts: nodes as written. Their specs have the same types as those read from a server, with SQL
//! texts as the declaration spells them; `compile` turns them into nodes.

use crate::error::{Pos, Problem};
use crate::model::{Address, Node, Spec};
use crate::sql::{name, Fragment, Shape};
use crate::yaml::{Scalar, Yaml};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

/// A node as written, and where.
#[derive(Clone, Debug)]
pub struct Draft {
    pub node: Node,
    pub pos: Pos,
    /// The fragments in its spec, to find what it refers to and to place a server's complaint.
    pub fragments: Vec<(Fragment, Option<Scalar>)>,
    /// Hints whose SQL has to be qualified, because it runs on the target as written.
    pub statements: Vec<Fragment>,
    /// Relations that its text takes as a whole (`*`, NATURAL): with other columns there, it means another thing.
    pub reads: Vec<Address>,
}

/// What the kinds' `declare` produce.
pub struct Drafts {
    pub list: Vec<Draft>,
    pub problems: Vec<Problem>,
    /// The schemas that the declaration owns; the first is where unqualified names live.
    pub schemas: Vec<String>,
    /// The directory of the file being read, for `file:`.
    pub directory: std::path::PathBuf,
    /// The directory of the declaration, which `file:` may not leave.
    pub root: std::path::PathBuf,
    /// Whether this is what others own, of which only what can be seen from outside matters.
    pub external: bool,
    /// Files that bodies were read from, with what they hold.
    pub files: Vec<(std::path::PathBuf, Vec<u8>)>,
    /// Names given so far in the name spaces of constraints and indexes, by schema.
    taken: FxHashMap<String, FxHashSet<Box<str>>>,
}

impl Drafts {
    pub fn new(schemas: Vec<String>) -> Self {
        Self {
            list: Vec::new(),
            problems: Vec::new(),
            schemas,
            directory: ".".into(),
            root: ".".into(),
            external: false,
            files: Vec::new(),
            taken: FxHashMap::default(),
        }
    }

    /// The schema of names that name none.
    pub fn default_schema(&self) -> &str {
        self.schemas.first().map_or("public", String::as_str)
    }

    /// Adds a draft with the given spec; more can be said on what is returned.
    pub fn add<T: Serialize>(&mut self, address: Address, spec: &T, pos: &Pos) -> &mut Draft {
        self.take(&address);
        let at = self.list.len();
        self.list.push(Draft {
            node: Node::new(address, Spec::of(spec)),
            pos: pos.clone(),
            fragments: Vec::new(),
            statements: Vec::new(),
            reads: Vec::new(),
        });
        &mut self.list[at]
    }

    /// Notes that a name is given already. Columns have theirs to themselves.
    pub fn take(&mut self, address: &Address) {
        if super::kind_of(address).is_column() {
            return;
        }
        match self.taken.get_mut(address.schema()) {
            Some(taken) => drop(taken.insert(address.name().into())),
            None => drop(self.taken.insert(address.schema().to_owned(), FxHashSet::from_iter([address.name().into()]))),
        }
    }

    /// The address of a schema-level thing under a key such as `orders` or `app.orders`.
    pub fn address(&mut self, kind: &str, name: &Scalar) -> Option<Address> {
        match name::split(&name.text) {
            Some((schema, name)) => {
                let schema = schema.unwrap_or_else(|| self.default_schema().to_owned());
                Some(Address::root("schema", &schema).child(kind, &name))
            }
            None => {
                let problem = Problem::new(&name.pos, format!("`{}` is not a name", super::form::brief(&name.text)));
                self.problems
                    .push(problem.hint("write `name` or `schema.name`; quote odd names as in SQL: '\"Odd name\"'"));
                None
            }
        }
    }

    /// A name for a constraint that the declaration leaves unnamed, as PostgreSQL derives it.
    pub fn derive(&mut self, table: &Address, columns: &str, label: &str) -> String {
        let taken = self.taken.entry(table.schema().to_owned()).or_default();
        let name = name::derive(table.name(), columns, label, &|candidate: &str| taken.contains(candidate));
        taken.insert(name.as_str().into());
        name
    }

    pub fn problem(&mut self, pos: &Pos, message: impl Into<String>) {
        self.problems.push(Problem::new(pos, message));
    }
}

impl Draft {
    /// Notes a fragment that the spec holds.
    pub fn fragment(&mut self, shape: Shape, scalar: &Scalar) -> &mut Self {
        self.fragments.push((Fragment::new(shape, scalar.text.as_str()), Some(scalar.clone())));
        self
    }

    /// Notes a fragment that is part of a longer written text.
    pub fn fragment_text(&mut self, shape: Shape, text: &str, within: Option<&Scalar>) -> &mut Self {
        self.fragments.push((Fragment::new(shape, text), within.cloned()));
        self
    }

    /// Notes a hint of an earlier name, which is written as the present one is: what stands in a schema as SQL
    /// reads it, all else as it is.
    pub fn was(&mut self, yaml: &Yaml) -> &mut Self {
        if let Some(was) = yaml.text("was") {
            let in_schema = self.node.address.depth() == 2;
            let read = name::split(&was.text).filter(|_| in_schema);
            self.hints().was = Some(read.map_or_else(|| was.text.clone(), |(_, name)| name));
        }
        self
    }

    pub fn hints(&mut self) -> &mut crate::model::Hints {
        self.node.hints.get_or_insert_default()
    }
}
