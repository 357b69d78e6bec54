//! Whether what was answered can have happened one after the other (Wing and Gong, "Testing and verifying concurrent objects",
//! 1993).

use std::collections::HashSet;

use super::{Ask, Asked, What};
use crate::reference::{Deed, People, Reference, Said, Who};

/// What there is at one moment of an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) handoff: Reference,
    pub(super) may_claim: People,
    /// Whether the clock has stepped to its end.
    pub(super) late: bool,
    /// First answers by key.
    pub(super) kept: Vec<(usize, Said)>,
}

impl World {
    /// One deed more, and what is answered.
    fn then(&mut self, ask: &Ask, deed: Deed) -> Said {
        match ask.what {
            What::Leave(gone) => self.may_claim = self.may_claim.without(People::of([gone])),
            What::End => self.late = true,
            What::Do(_) | What::View => return self.answer(ask, deed),
        }
        (200, "")
    }

    fn answer(&mut self, ask: &Ask, deed: Deed) -> Said {
        let now = self.handoff.ends - i64::from(!self.late);
        let known = self.kept.iter().find(|(key, _)| *key == ask.key);
        if let Some((_, first)) = known
            && self.handoff.has_right(ask.by, deed, self.may_claim)
        {
            return *first;
        }
        let said = self.handoff.apply(ask.by, deed, self.may_claim, now);
        if said.0 < 300 && ask.what != What::View {
            self.kept.push((ask.key, said));
        }
        said
    }
}

/// Whether there is an order that explains the answers and the log.
pub(super) struct Explanation<'a> {
    asked: &'a [Asked],
    log: &'a [(String, Option<Who>)],
    tried: HashSet<(Vec<usize>, World)>,
}

impl<'a> Explanation<'a> {
    pub(super) fn of(asked: &'a [Asked], log: &'a [(String, Option<Who>)]) -> Self {
        Self { asked, log, tried: HashSet::new() }
    }

    /// Goes on behind what is `done`: of each of what was asked, so many deeds.
    pub(super) fn exists(&mut self, done: &[usize], world: &World) -> bool {
        let finished = |index: usize| done[index] == self.asked[index].ask.what.deeds().len();
        if (0..done.len()).all(finished) {
            return world.handoff.log.len() == self.log.len();
        }
        if !self.tried.insert((done.to_vec(), world.clone())) {
            return false;
        }
        let earliest = (0..done.len()).filter(|&index| !finished(index)).map(|index| self.asked[index].done).min();
        for (index, asked) in self.asked.iter().enumerate() {
            let deeds = asked.ask.what.deeds();
            if done[index] == deeds.len() || (done[index] == 0 && Some(asked.sent) > earliest) {
                continue;
            }
            let (mut next, mut world) = (done.to_vec(), world.clone());
            let said = world.then(&asked.ask, deeds[done[index]]);
            next[index] += 1;
            // What is not there is not shown either.
            if said.0 == 404 {
                next[index] = deeds.len();
            }
            let answered = next[index] < deeds.len() || answers(asked, said);
            if answered && self.agrees(&world) && self.exists(&next, &world) {
                return true;
            }
        }
        false
    }

    fn agrees(&self, world: &World) -> bool {
        let log = &world.handoff.log;
        log.len() <= self.log.len() && log.iter().zip(self.log).all(|(one, other)| one.0 == other.0 && one.1 == other.1)
    }
}

fn answers(asked: &Asked, said: Said) -> bool {
    let silent = !matches!(asked.ask.what, What::View | What::Do(_)) || asked.ask.what == What::Do(Deed::Sweep);
    silent || (asked.said.0, asked.said.1.as_str()) == said
}
