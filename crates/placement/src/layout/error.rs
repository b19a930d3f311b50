//! What is refused, and the sentences that say why.
//!
//! Invariants:
//! 1. A member that [`admit`] lets in leaves a layout that [`check`] finds whole.

use std::collections::BTreeSet;

use crate::copies::{Copies, CopiesError};
use crate::keyspace::KeyspaceError;
use crate::layout::{Layout, MEMBERS_MAX, Place, Step};
use crate::member::{Duty, Member, NodeId, TEXT_BYTES_MAX, WEIGHT_MAX};
use crate::voters::Seat;

/// Why there is no such layout.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayoutError {
    /// The number of partitions.
    #[error(transparent)]
    Keyspace(#[from] KeyspaceError),
    /// The number of copies.
    #[error(transparent)]
    Copies(#[from] CopiesError),
    /// A member whose fields are out of bounds.
    #[error("member `{name}` is refused: {why}")]
    Member {
        /// The name it gave, cut if too long.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A name that belongs to a member that differs in something.
    #[error(
        "the name `{name}` belongs to the member at {client_addr}, which differs in its addresses, weight, zone or role; \
         start it as it was, or choose another name"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The client address of the member that has it.
        client_addr: String,
    },
    /// Two names that make one id.
    #[error("the names `{name}` and `{other}` give the same id {id}; choose another name")]
    IdTaken {
        /// The name of the newcomer.
        name: String,
        /// The name of the member that has the id.
        other: String,
        /// The id.
        id: NodeId,
    },
    /// An address that belongs to another member.
    #[error("the address {address} belongs to the member `{other}`")]
    AddressTaken {
        /// The address.
        address: String,
        /// The name of the member that has it.
        other: String,
    },
    /// Nothing would change.
    #[error("it is so already")]
    Same,
    /// No member.
    #[error("`{0}` is no member; `armilla status` lists those that are")]
    Stranger(String),
    /// A member that is lost.
    #[error("the member `{0}` was removed, and comes back as a new one: start it with --join")]
    Gone(String),
    /// A member less, and there are fewer than copies.
    #[error("{left} members{of} are too few for {replicas} replicas; ask for fewer first (armilla replicas)")]
    TooFew {
        /// How many would be left.
        left: usize,
        /// Of which datacenter, in words; nothing of all.
        of: String,
        /// How many owners each partition is to have there.
        replicas: usize,
    },
    /// Another datacenter, where copies are counted by datacenter.
    #[error(
        "`{0}` holds copies for its datacenter, and cannot be taken to another: drain it, and have it join there under another name"
    )]
    Rooted(String),
    /// A datacenter without members.
    #[error("no member is in the datacenter `{0}`: `armilla status` shows where each is")]
    Nowhere(String),
    /// The only member that holds anything.
    #[error("the member `{0}` is the last that holds anything")]
    Last(String),
    /// Too few would be left of some partitions to know what was acknowledged.
    #[error(
        "without `{name}` too few are left of {partitions} of {of} partitions to know all that was acknowledged there: \
         start one of those that are gone, or give up what only they have (--accept-data-loss)"
    )]
    AtStake {
        /// Who is to be removed.
        name: String,
        /// How many partitions.
        partitions: usize,
        /// How many there are.
        of: usize,
    },
    /// A member that owns nothing, or is on its way out.
    #[error("the member `{0}` is not there to hold anything")]
    CannotStore(String),
    /// Enough of those who vote are there.
    #[error("most of those who vote can be reached: nothing is to be recovered, ask for the change itself")]
    Voting,
    /// A member that still has something.
    #[error("the member `{0}` still has something to give away, or a vote")]
    Needed(String),
    /// No room for another that is waited for.
    #[error("too many members are waited for: remove some of those that are gone for good (armilla remove)")]
    Kept,
    /// No room for another member.
    #[error("the cluster has {MEMBERS_MAX} members, and there cannot be more")]
    Full,
    /// Bytes of a version that this release does not know.
    #[error("the layout has format version {0}, which this release does not read")]
    Version(u8),
    /// Bytes that are not a layout, or a layout whose parts contradict each other.
    #[error("the layout is damaged: {0}")]
    Broken(&'static str),
}

/// Whether a member may join those that are here.
pub(super) fn admit(members: &[Member], member: &Member) -> Result<(), LayoutError> {
    sound(member)?;
    if members.len() >= MEMBERS_MAX {
        return Err(LayoutError::Full);
    }
    let name = || member.name.clone();
    for other in members {
        if other.name == member.name {
            return Err(LayoutError::NameTaken { name: name(), client_addr: other.client_addr.clone() });
        }
        if other.id == member.id {
            return Err(LayoutError::IdTaken { name: name(), other: other.name.clone(), id: other.id });
        }
        let theirs = [&other.client_addr, &other.peer_addr];
        if let Some(&address) = [&member.client_addr, &member.peer_addr].iter().find(|a| theirs.contains(a)) {
            return Err(LayoutError::AddressTaken { address: address.clone(), other: other.name.clone() });
        }
    }
    Ok(())
}

/// What is said of a weight out of bounds.
pub(super) fn bad_weight(name: &str, weight: u32) -> LayoutError {
    let why = format!("its weight {weight} must be from 1 to {WEIGHT_MAX}");
    LayoutError::Member { name: name.chars().take(TEXT_BYTES_MAX).collect(), why }
}

/// Whether a member's own fields are within bounds.
pub(super) fn sound(member: &Member) -> Result<(), LayoutError> {
    let fields = [
        ("name", &member.name),
        ("client address", &member.client_addr),
        ("peer address", &member.peer_addr),
    ];
    if !(1..=WEIGHT_MAX).contains(&member.weight) {
        return Err(bad_weight(&member.name, member.weight));
    }
    let why = if let Some((field, _)) =
        fields.iter().find(|(_, text)| !(1..=TEXT_BYTES_MAX).contains(&text.len()))
    {
        format!("its {field} must have 1 to {TEXT_BYTES_MAX} bytes")
    } else if !member.zone.is_valid() {
        format!("its zone `{}` must be written datacenter/rack", member.zone)
    } else if member.client_addr == member.peer_addr {
        "its client and its peer address must differ".into()
    } else {
        return Ok(());
    };
    Err(LayoutError::Member { name: member.name.chars().take(TEXT_BYTES_MAX).collect(), why })
}

/// The invariants of a layout.
pub(super) fn check(layout: &Layout) -> Result<(), LayoutError> {
    let members = &layout.members;
    layout.copies.check()?;
    if layout.epoch == 0 || members.is_empty() {
        return Err(LayoutError::Broken("it has no epoch or no member"));
    }
    if members.len() > MEMBERS_MAX {
        return Err(LayoutError::Full);
    }
    members.iter().try_for_each(sound)?;
    if layout.joined.len() != members.len() || layout.joined.iter().any(|joined| *joined > layout.epoch) {
        return Err(LayoutError::Broken("somebody has joined it in an epoch to come"));
    }
    if !members.is_sorted_by(|a, b| a.id < b.id) {
        return Err(LayoutError::Broken("its members are not ordered by id"));
    }
    let names: BTreeSet<_> = members.iter().map(|member| &member.name).collect();
    let addresses: BTreeSet<_> =
        members.iter().flat_map(|member| [&member.client_addr, &member.peer_addr]).collect();
    if names.len() < members.len() || addresses.len() < 2 * members.len() {
        return Err(LayoutError::Broken("two members share a name or an address"));
    }
    let partitions = layout.keyspace.partition_count() as usize;
    if layout.replicas() == 0
        || layout.wanted.len() != layout.replicas() * partitions
        || layout.places.len() != partitions
    {
        return Err(LayoutError::Broken("a partition has too few or too many owners"));
    }
    let stores = |id: &NodeId| layout.member(*id).is_some_and(|member| member.duty == Duty::Store);
    if !layout.wanted.iter().all(stores) || layout.wanted.chunks(layout.replicas()).any(has_twins) {
        return Err(LayoutError::Broken("a wanted owner holds nothing, or is wanted twice"));
    }
    if let Copies::In(each) = &layout.copies
        && !each.keys().all(|datacenter| is_counted(layout, datacenter))
    {
        return Err(LayoutError::Broken("a datacenter has too few or too many copies"));
    }
    let is_kept = |id: &NodeId| layout.member(*id).is_some_and(|member| member.duty != Duty::Route);
    if !layout.kept.iter().all(is_kept) {
        return Err(LayoutError::Broken("who is waited for holds nothing"));
    }
    let votes = |seat: Seat| layout.member(seat.node).is_some_and(|member| member.duty != Duty::Route);
    if layout.voters.now.is_empty() || !layout.voters.seats().all(votes) {
        return Err(LayoutError::Broken("nobody votes, or who is no member"));
    }
    layout.places.iter().try_for_each(|place| check_place(layout, place))
}

/// Whether so many owners in a datacenter are wanted of each partition as there are to be.
fn is_counted(layout: &Layout, datacenter: &str) -> bool {
    let copies = layout.copies.among_those_of(datacenter, &layout.members);
    let there: BTreeSet<_> = layout
        .storing()
        .filter(|member| member.zone.datacenter == datacenter)
        .map(|member| member.id)
        .collect();
    let rows = layout.wanted.chunks(layout.replicas());
    rows.map(|row| row.iter().filter(|id| there.contains(id)).count()).all(|count| count == copies)
}

fn check_place(layout: &Layout, place: &Place) -> Result<(), LayoutError> {
    if place.owners.is_empty()
        || has_twins(&place.owners)
        || !place.named().all(|id| layout.member(id).is_some())
    {
        return Err(LayoutError::Broken("an owner is no member, or owns a partition twice"));
    }
    let is_sound = match place.step() {
        Step::Resting => true,
        Step::Copying { newcomer, began } => !place.owners.contains(newcomer) && *began <= layout.epoch,
        Step::Settling { to_come, before } => {
            let are_owners = to_come.iter().all(|id| place.owners.contains(id));
            are_owners
                && !to_come.is_empty()
                && !before.is_empty()
                && before.iter().all(|set| !set.is_empty())
        }
    };
    if !is_sound || place.since == 0 || place.since > layout.epoch {
        return Err(LayoutError::Broken("a partition is on a way that there is not"));
    }
    Ok(())
}

fn has_twins(owners: &[NodeId]) -> bool {
    owners.iter().enumerate().any(|(at, owner)| owners[..at].contains(owner))
}
