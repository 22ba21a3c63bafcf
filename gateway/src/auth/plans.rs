//! Plans: what the operator lets tenants use. Made and changed by compare-and-set.

use std::sync::Arc;

use actors::{PlanRecord, record_body};
use engine_store::{Records, Scope, StoreError};
use schema::wire::PlanView;
use schema::{DEFAULT_PLAN, Plan};

use super::error::TenantError;

/// Plans read at once in a listing.
const PAGE: usize = 100;

/// The installation's plans.
pub struct Plans {
    records: Arc<dyn Records>,
}

impl Plans {
    pub(super) const fn new(records: Arc<dyn Records>) -> Self {
        Self { records }
    }

    /// All of them, by name. The default one is always there.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<PlanView>, TenantError> {
        let mut plans = Vec::new();
        let mut after = None;
        loop {
            let page = self.records.scan(Scope::Node, PlanRecord::KIND, after, PAGE).await?;
            let full = page.len() == PAGE;
            for record in &page {
                let (version, PlanRecord { plan, .. }) = record_body::read(PlanRecord::KIND, record)?;
                plans.push(PlanView { name: record.id.clone(), version, plan });
            }
            match page.into_iter().last() {
                Some(last) if full => after = Some(last.id),
                _ => break,
            }
        }
        if !plans.iter().any(|plan| plan.name == DEFAULT_PLAN) {
            plans.push(PlanView::default());
            plans.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(plans)
    }

    /// The one of this name.
    ///
    /// # Errors
    /// [`TenantError::NoPlan`], or what the store says.
    pub async fn find(&self, name: &str) -> Result<PlanView, TenantError> {
        let found = record_body::load(&*self.records, PlanRecord::record_name(name)).await?;
        match found {
            Some((version, PlanRecord { plan, .. })) => Ok(PlanView { name: name.into(), version, plan }),
            None if name == DEFAULT_PLAN => Ok(PlanView::default()),
            None => Err(TenantError::NoPlan),
        }
    }

    /// Makes a plan (`version` 0), or replaces one that is still at `version`. Tenants that have it go by it
    /// once they are told.
    ///
    /// # Errors
    /// [`TenantError::Plan`] when it breaks a rule, [`TenantError::Version`] when it is at another version.
    pub async fn put(&self, name: &str, version: u64, plan: Plan) -> Result<PlanView, TenantError> {
        plan.check(name)?;
        let body = PlanRecord { format: PlanRecord::FORMAT, plan };
        match record_body::save(&*self.records, PlanRecord::record_name(name), version, &body).await {
            Ok(version) => Ok(PlanView { name: name.into(), version, plan: body.plan }),
            Err(StoreError::Conflict { found }) => Err(TenantError::Version { found }),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW, tenants};
    use super::*;

    #[tokio::test]
    async fn plans_are_made_changed_and_listed_and_the_default_is_always_there() {
        let (tenants, _keys, _dir) = tenants();
        let plans = tenants.plans();
        assert_eq!(plans.list().await.unwrap(), [PlanView::default()]);
        assert!(matches!(plans.find("pro").await, Err(TenantError::NoPlan)));
        let pro = Plan { models: vec!["openai/big".into()], ..Plan::default() };
        assert_eq!(plans.put("pro", 0, pro.clone()).await.unwrap().version, 1);
        assert!(matches!(plans.put("pro", 0, pro.clone()).await, Err(TenantError::Version { found: 1 })));
        assert!(matches!(plans.put("Pro!", 0, pro.clone()).await, Err(TenantError::Plan(_))));
        assert_eq!(plans.put(DEFAULT_PLAN, 0, pro.clone()).await.unwrap().version, 1);
        let names: Vec<_> = plans.list().await.unwrap().into_iter().map(|plan| (plan.name, plan.version)).collect();
        assert_eq!(names, [("default".into(), 1), ("pro".into(), 1)]);

        let (acme, _) = tenants.create("acme", NOW).await.unwrap();
        assert_eq!(acme.plan, DEFAULT_PLAN);
        assert!(matches!(tenants.set_plan(acme.id, "none").await, Err(TenantError::NoPlan)));
        assert!(matches!(tenants.create_on("bolt", "none", NOW).await, Err(TenantError::NoPlan)));
        assert_eq!(tenants.set_plan(acme.id, "pro").await.unwrap().plan.plan, pro);
        let (bolt, _) = tenants.create_on("bolt", "pro", NOW).await.unwrap();
        assert_eq!(tenants.view(bolt.id).await.unwrap().plan.name, "pro");
    }
}
