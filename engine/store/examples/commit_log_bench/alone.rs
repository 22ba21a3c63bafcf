//! Writers that share nothing: each event is a statement of its own.

use std::sync::Arc;
use std::time::Instant;

use crate::tables::Tables;
use crate::{Failure, Turn, Way, Workload, run};

pub(crate) async fn turn(tables: &Arc<Tables>, way: Way, workload: Workload<'_>) -> Result<Turn, Failure> {
    let began = Instant::now();
    let tables = Arc::clone(tables);
    let acks = run(workload, move |conversation| {
        let tables = Arc::clone(&tables);
        async move {
            match way {
                Way::Conditional => tables.append(conversation).await,
                _ => tables.write(conversation).await,
            }
        }
    });
    Ok(Turn { acks: acks.await?, lasted: began.elapsed(), groups: 0, folds: 0 })
}
