//! Assigns faults to the connections of a sandbox.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{Fault, FaultRule, Protocol};

/// The rules in force, and the number of connections per protocol since they were set.
#[derive(Default)]
pub(in super::super) struct Plan(Mutex<(Vec<FaultRule>, HashMap<Protocol, u32>)>);

impl Plan {
    pub(in super::super) fn set(&self, rules: Vec<FaultRule>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (rules, HashMap::new());
    }

    pub(in super::super) fn rules(&self) -> Vec<FaultRule> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Returns the faults of a connection that starts now.
    pub(in super::super) fn next(&self, protocol: Protocol) -> Vec<Fault> {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (rules, counts) = &mut *plan;
        let number = counts.entry(protocol).or_insert(0);
        *number = number.saturating_add(1);
        let applies = |rule: &&FaultRule| {
            rule.protocol.is_none_or(|wanted| wanted == protocol)
                && rule.connection.is_none_or(|wanted| wanted == *number)
        };
        rules.iter().filter(applies).map(|rule| rule.fault.clone()).collect()
    }
}
