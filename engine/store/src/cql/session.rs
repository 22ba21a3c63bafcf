//! Sends statements of each class as that class is to be sent, and reads what comes back.
//! Invariant: a conditional statement is never sent twice by the driver, and one whose outcome is unknown is told as
//! such.

use std::sync::Arc;
use std::time::Duration;

use scylla::client::execution_profile::{ExecutionProfile, ExecutionProfileHandle};
use scylla::client::session::Session;
use scylla::deserialize::row::DeserializeRow;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::{DefaultRetryPolicy, FallthroughRetryPolicy, RetryPolicy};
use scylla::response::PagingState;
use scylla::response::query_result::QueryResult;
use scylla::serialize::batch::BatchValues;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::Batch;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::{CqlValue, Row};

use super::failure::{odd, of_condition, of_preparing, of_reading, of_write};
use crate::StoreError;

/// What a statement does, which says how it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A write under a condition: decided by the replicas together, never sent again by the driver.
    Conditional,
    /// A write that may be done twice.
    Write,
    /// A write that all replicas must have done.
    WriteAll,
    /// A reading of what a majority has.
    Read,
    /// A reading that finishes what others have begun, and sees all that was decided before it.
    Serial,
}

/// How long the answer to a statement may take.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(2);
const READ_WITHIN: Duration = Duration::from_secs(2);
const ALL_WITHIN: Duration = Duration::from_secs(5);

/// A connection to the cluster, and how each class of statement is sent over it.
pub(super) struct Link {
    pub(super) session: Session,
    /// Where conditions are decided.
    pub(super) datacenter: String,
    decide: ExecutionProfileHandle,
    write: ExecutionProfileHandle,
    read: ExecutionProfileHandle,
    all: ExecutionProfileHandle,
}

impl Link {
    /// A link that asks the nodes of its own data centre.
    pub(super) fn new(session: Session, datacenter: &str) -> Self {
        let policy = DefaultPolicy::builder().prefer_datacenter(datacenter.into()).token_aware(true).build();
        let profile = |within, consistency, retries: Arc<dyn RetryPolicy>| {
            let profile = ExecutionProfile::builder()
                .request_timeout(Some(within))
                .consistency(consistency)
                .serial_consistency(Some(SerialConsistency::LocalSerial))
                .load_balancing_policy(Arc::clone(&policy))
                .retry_policy(retries);
            profile.build().into_handle()
        };
        let again = || Arc::new(DefaultRetryPolicy::new()) as Arc<dyn RetryPolicy>;
        Self {
            session,
            datacenter: datacenter.into(),
            // The default one sends again what too few replicas were said to be reached for, conditions too.
            decide: profile(WRITE_WITHIN, Consistency::LocalQuorum, Arc::new(FallthroughRetryPolicy::new())),
            write: profile(WRITE_WITHIN, Consistency::LocalQuorum, again()),
            read: profile(READ_WITHIN, Consistency::LocalQuorum, again()),
            all: profile(ALL_WITHIN, Consistency::All, again()),
        }
    }

    /// Makes a statement ready, to be sent as its class is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with what is wrong with it, or with the cluster.
    pub(super) async fn prepare(&self, class: Class, text: &str) -> Result<PreparedStatement, StoreError> {
        let prepared = self.session.prepare(text).await;
        let mut statement = prepared.map_err(|error| StoreError::Unavailable(of_preparing(&error)))?;
        let profile = match class {
            Class::Conditional => &self.decide,
            Class::Write => &self.write,
            Class::Read | Class::Serial => &self.read,
            Class::WriteAll => &self.all,
        };
        statement.set_execution_profile_handle(Some(profile.clone()));
        statement.set_is_idempotent(class != Class::Conditional);
        if class == Class::Serial {
            statement.set_consistency(Consistency::LocalSerial);
        }
        Ok(statement)
    }

    /// Sends a conditional statement. Whether its condition held. Where it is said not to have held, what was written
    /// may stand all the same: a coordinator that met others may have begun anew behind its own write.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it surely was not applied, [`StoreError::Unknown`] when it may have been, or may
    /// yet be: a reading of the class [`Class::Serial`] settles it.
    pub(super) async fn decide(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<bool, StoreError> {
        let answer = self.session.execute_unpaged(statement, values).await;
        applied(answer.map_err(|error| of_condition(&error))?)
    }

    /// The same for statements of one partition, applied together or not at all.
    ///
    /// # Errors
    /// As [`Link::decide`].
    pub(super) async fn decide_together(&self, mut batch: Batch, values: impl BatchValues) -> Result<bool, StoreError> {
        batch.set_execution_profile_handle(Some(self.decide.clone()));
        batch.set_is_idempotent(false);
        let answer = self.session.batch(&batch, values).await;
        applied(answer.map_err(|error| of_condition(&error))?)
    }

    /// Sends a write without a condition.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and [`StoreError::Unknown`]: it may be sent again after either.
    pub(super) async fn write(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<(), StoreError> {
        self.session.execute_unpaged(statement, values).await.map(drop).map_err(|error| of_write(&error))
    }

    /// The same, with a time of its own: of two writes of a cell the later one stands, whichever comes last.
    ///
    /// # Errors
    /// As [`Link::write`].
    pub(super) async fn write_at(
        &self,
        time: i64,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<(), StoreError> {
        let mut statement = statement.clone();
        statement.set_timestamp(Some(time));
        self.write(&statement, values).await
    }

    /// Reads the first row that a statement asks for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`] when it has other columns.
    pub(super) async fn one<R: for<'a> DeserializeRow<'a, 'a>>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Option<R>, StoreError> {
        let answer = self.session.execute_unpaged(statement, values).await.map_err(|error| of_reading(&error))?;
        let rows = answer.into_rows_result().map_err(|_| odd("a row"))?;
        rows.maybe_first_row::<R>().map_err(|_| odd("a row"))
    }

    /// Reads all rows that a statement asks for, which bounds their number.
    ///
    /// # Errors
    /// As [`Link::one`].
    pub(super) async fn all<R: for<'a> DeserializeRow<'a, 'a>>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Vec<R>, StoreError> {
        let answer = self.session.execute_unpaged(statement, values).await.map_err(|error| of_reading(&error))?;
        let rows = answer.into_rows_result().map_err(|_| odd("a row"))?;
        let rows = rows.rows::<R>().map_err(|_| odd("a row"))?;
        rows.map(|row| row.map_err(|_| odd("a row"))).collect()
    }

    /// Reads one page of the rows that a statement asks for, `rows` of them at most, and where the next page begins.
    ///
    /// # Errors
    /// As [`Link::one`].
    pub(super) async fn page<R: for<'a> DeserializeRow<'a, 'a>>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
        rows: usize,
        from: PagingState,
    ) -> Result<(Vec<R>, Option<PagingState>), StoreError> {
        let mut statement = statement.clone();
        statement.set_page_size(i32::try_from(rows).unwrap_or(i32::MAX).max(1));
        let answer = self.session.execute_single_page(&statement, values, from).await;
        let (answer, next) = answer.map_err(|error| of_reading(&error))?;
        let rows = answer.into_rows_result().map_err(|_| odd("a row"))?;
        let rows = rows.rows::<R>().map_err(|_| odd("a row"))?;
        let rows = rows.map(|row| row.map_err(|_| odd("a row"))).collect::<Result<_, _>>()?;
        Ok((rows, next.into_paging_control_flow().continue_value()))
    }
}

// Other columns differ: one product gives the old row, the other one only where the condition failed.
fn applied(answer: QueryResult) -> Result<bool, StoreError> {
    let unknown = || StoreError::Unknown("the answer to a condition cannot be read".into());
    let rows = answer.into_rows_result().map_err(|_| unknown())?;
    let row = rows.first_row::<Row>().map_err(|_| unknown())?;
    match row.columns.first() {
        Some(Some(CqlValue::Boolean(applied))) => Ok(*applied),
        _ => Err(unknown()),
    }
}
