//! What a person is asked about their devices, and about the agents on them.

use uuid::Uuid;

use super::Mine;
use crate::clock::Time;
use crate::collection::store::mine::DeviceRow;

/// A device of which its person hasn't said that it is theirs, or not since other agents came onto it.
pub struct Unconfirmed<'a> {
    pub assignment_id: Uuid,
    pub label: &'a str,
    pub from: Time,
    /// Whether the device itself is asked about, and not only what came onto it later.
    pub is_new: bool,
    /// Agents that nothing was said of, oldest first.
    pub agents: Vec<NewAgent<'a>>,
}

pub struct NewAgent<'a> {
    pub id: Uuid,
    pub software: &'a str,
    pub since: Time,
}

impl Mine {
    /// Devices that are this person's now and about which an answer is wanted; each once.
    pub fn unconfirmed(&self) -> Vec<Unconfirmed<'_>> {
        let mut list: Vec<Unconfirmed<'_>> = Vec::new();
        for device in self.devices.iter().filter(|d| d.to.is_none()) {
            let agent = new_agent(device);
            if agent.is_none() && device.confirmed_at.is_some() {
                continue;
            }
            match list.iter_mut().find(|u| u.assignment_id == device.assignment_id) {
                Some(asked) => asked.agents.extend(agent),
                None => list.push(Unconfirmed {
                    assignment_id: device.assignment_id,
                    label: &device.label,
                    from: device.from,
                    is_new: device.confirmed_at.is_none(),
                    agents: agent.into_iter().collect(),
                }),
            }
        }
        list
    }
}

fn new_agent(device: &DeviceRow) -> Option<NewAgent<'_>> {
    let since = device.enrolled_at?;
    let is_new = device.revoked_at.is_none() && device.confirmed_at.is_none_or(|at| at < since);
    is_new.then(|| Some(NewAgent { id: device.agent_id?, software: device.software.as_deref()?, since }))?
}
