//! How long it takes to compare two models and to order what differs, apart from reading them.

use pgplumb::catalog::connect::Target;
use pgplumb::compile::Place;
use pgplumb::diff::diff;
use pgplumb::engine::{self, Choices};
use pgplumb::error::Result;
use pgplumb::model::{Model, Node};
use pgplumb::plan::{build, Input, SearchPath};
use std::path::Path;
use std::time::{Duration, Instant};

/// Plans the way to a declaration with a fresh lock, of which one table has a column less, from the database of a URL.
/// The time is that of the comparison, the order and the way back.
pub fn diff_and_order(declaration: &Path, url: &str) -> Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| pgplumb::error::Error::new(format!("no runtime: {e}")))?;
    runtime.block_on(async {
        let target = Target::resolve(Some(url), &|_| None)?;
        let choices = Choices {
            declaration: declaration.to_path_buf(),
            scratch: Place::Server(Box::new(target.clone())),
            target: Some(&target),
            locked: true,
            env: &|_| None,
            progress: &|_| {},
        };
        let session = engine::open(&target).await?;
        let desired = engine::desired(&choices, session.major).await?;
        let live = engine::live(&session, &engine::wanted(&desired)).await?;
        session.release().await?;
        let gone = desired.model.nodes().iter().rfind(|n| n.address.kind() == "column" && n.address.name() == "note");
        let gone = gone.map(|node| node.address.clone());
        let nodes: Vec<Node> =
            desired.model.into_nodes().into_iter().filter(|n| Some(&n.address) != gone.as_ref()).collect();
        let desired = Model::new(nodes);
        let path = SearchPath::default();
        let input = Input::of(&live, &desired, session.major, &path);
        let start = Instant::now();
        let built = build(&input, &diff(&live.model, &desired))?;
        let took = start.elapsed();
        let steps: usize = built.batches.iter().map(|planned| planned.steps.len()).sum();
        match steps {
            1 => Ok(took),
            _ => Err(pgplumb::error::Error::new(format!("{steps} steps where one was to be planned"))),
        }
    })
}
