//! How clients come to their sessions, move between replicas, and hand tokens over.

use crate::node::CLUSTER;
use crate::random::Random;
use crate::world::World;
use anabranch_causality::Token;
use anabranch_session::{Fleet, Guarantees, Role, SessionState, Standing};

/// So many latencies make a client believe that it is usual.
const HABIT: usize = 20;

impl World {
    pub(super) fn fresh_session(&mut self) -> SessionState {
        let wall_ms = self.wall_ms();
        let random = &mut self.travellers.random;
        let id = crate::clients::session_id(wall_ms, random);
        let guarantees = match random.below(8) {
            0..=3 => Guarantees::ALL,
            4 | 5 => Guarantees::NONE,
            _ => some_guarantees(random),
        };
        SessionState::new(id, guarantees)
    }

    /// All nodes, and how long their answers usually take.
    pub(super) fn fleet(&mut self) -> Fleet {
        let mut fleet = Fleet::default();
        for node in self.nodes.iter().filter(|node| node.copy_of.is_none()) {
            fleet.add(&node.name, None);
            for _ in 0..HABIT {
                fleet.note_read_latency(&node.name, self.travellers.random.range(1, 50) * 1_000);
            }
        }
        fleet
    }

    /// Other replicas are near now.
    pub(super) fn hop(&mut self, traveller: usize) {
        for node in self.nodes.iter().filter(|node| node.copy_of.is_none()) {
            let micros = self.travellers.random.range(1, 200) * 1_000;
            for _ in 0..HABIT {
                self.travellers.list[traveller].fleet.note_latency(&node.name, micros);
            }
        }
    }

    /// A client hears how a replica stands.
    pub(super) fn learn(&mut self, traveller: usize) {
        let node = self.travellers.random.below(self.nodes.len());
        let (time, found) = (self.time(node), &self.nodes[node]);
        let Some(engine) = &found.engine else { return };
        let lag_ms = engine.behind_ms(time);
        let standing = Standing {
            role: if found.is_leader() { Role::Leader } else { Role::Follower },
            region: found.config.region.clone(),
            vector: Token::of(found.config.shard, engine.durable_vector()),
            lag_ms,
            lagging: lag_ms.is_none_or(|lag| lag > 1_000),
        };
        self.travellers.list[traveller].fleet.note_standing(&found.name, self.now, standing);
    }

    /// The session is saved, and carried on from that.
    pub(super) fn carry_on(&mut self, traveller: usize) {
        let session = &mut self.travellers.list[traveller].session;
        self.coverage.note("sessions saved and restored");
        if SessionState::restore(&session.save(CLUSTER), "elsewhere").is_ok() {
            self.travellers.record.complain(format!("{session:?} is taken by another cluster"));
        }
        match SessionState::restore(&session.save(CLUSTER), CLUSTER) {
            Ok(restored) => *session = restored,
            Err(error) => self.travellers.record.complain(format!("{session:?} does not come back: {error}")),
        }
    }

    /// The session goes on with what another one carries, too.
    pub(super) fn hand_over(&mut self, traveller: usize) {
        let other = self.travellers.random.below(self.travellers.list.len());
        let (from, token) = {
            let session = &self.travellers.list[other].session;
            (session.id().to_string(), session.token())
        };
        self.coverage.note("tokens handed over");
        let invoke_us = self.travellers.record.stamp(self.now);
        let session = &mut self.travellers.list[traveller].session;
        session.join(&token);
        self.travellers.record.join(self.now, &session.id().to_string(), invoke_us, from);
    }
}

pub(super) fn some_guarantees(random: &mut Random) -> Guarantees {
    let none = Guarantees::NONE;
    random.pick(&[
        none.read_your_writes(true),
        none.monotonic_reads(true),
        none.monotonic_writes(true),
        none.writes_follow_reads(true),
        Guarantees::ALL.monotonic_reads(false),
    ])
}
