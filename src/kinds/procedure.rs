//! Procedures (manual, CREATE PROCEDURE).

use super::*;

/// The procedure kind.
pub struct Procedure;

const WORD: &str = "PROCEDURE";

impl Kind for Procedure {
    fn name(&self) -> &'static str {
        "procedure"
    }

    fn sections(&self) -> &'static [Section] {
        &[Section { parent: "", key: "procedures", many: Many::Named, doc: "Procedures by name with argument list." }]
    }

    fn form(&self) -> &'static Form {
        &routine::PROCEDURE
    }

    fn facets(&self) -> &'static [Facet] {
        &[Facet::Owner, Facet::Comment, Facet::Grants]
    }

    fn declare(&self, _parent: Option<&Address>, name: &Scalar, yaml: &Yaml, out: &mut Drafts) {
        routine::declare(self.name(), name, yaml, out);
    }

    fn write(&self, node: &Node, _model: &Model) -> Option<Value> {
        routine::write(node)
    }

    fn key(&self, node: &Node, default_schema: &str) -> String {
        routine::key(node, default_schema)
    }

    fn catalog(&self) -> Option<Catalog> {
        let query = concat!(include_str!("routine.sql"), include_str!("procedure.sql"));
        Some(Catalog { class: "pg_proc", parent: "pg_namespace", query })
    }

    fn printed(&self) -> &'static [&'static str] {
        routine::PRINTED
    }

    fn read(&self, row: &Row, _parent: Option<&Address>) -> Result<Found> {
        routine::read(row)
    }

    fn phrase(&self, node: &Node) -> String {
        routine::phrase(WORD, &node.address)
    }

    fn computes(&self, node: &Node) -> Option<String> {
        routine::computes(node)
    }

    fn create(&self, node: &Node, _riders: &[&Node], scope: &Scope) -> Vec<Change> {
        routine::create(WORD, node, scope)
    }

    fn drop(&self, node: &Node, _scope: &Scope) -> Vec<Change> {
        routine::drop(WORD, node)
    }

    fn alter(&self, old: &Node, new: &Node, _scope: &Scope) -> Alter {
        routine::alter(WORD, old, new)
    }

    fn rename(&self, node: &Node, to: &str) -> Option<Change> {
        routine::rename(WORD, node, to)
    }

    fn moved(&self, node: &Node, from: &Address, _major: u32) -> Option<Spec> {
        routine::moved(node, from)
    }

    fn restrained(&self, node: &Node, limits: &Limits) -> Option<(Node, Vec<String>)> {
        routine::restrained(WORD, node, limits)
    }

    fn early(&self, node: &Node) -> Option<Node> {
        routine::early(node)
    }

    fn untracked(&self, node: &Node) -> Option<String> {
        routine::untracked(node)
    }

    fn code(&self, node: &Node) -> Option<String> {
        routine::code(node)
    }

    fn slots(&self, node: &Node) -> Vec<(String, String)> {
        routine::slots(node)
    }

    fn rebind(&self, node: &Node, _below: &Address, cause: Cause, _scope: &Scope) -> Rebind {
        routine::rebind(node, cause)
    }

    fn grantable(&self, node: &Node, _major: u32) -> Option<Grantable> {
        Some(routine::grantable(WORD, node))
    }
}
