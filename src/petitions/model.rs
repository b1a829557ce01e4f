//! Rules about petitions; no I/O. They are published at `/petitions/rules`.

use crate::clock::Time;
pub use crate::ledger::proof::petition::{FEW, threshold};

/// Colleagues who must support a petition before it is checked; the author may be one of them.
pub const SUPPORTERS: i64 = 5;
/// Days within which they must be found.
pub const SEEKING_DAYS: i64 = 30;
/// Days after which a petition that nobody checked opens by itself: silence is no refusal.
pub const CHECKING_DAYS: i64 = 14;
/// Days within which the employer must answer once the threshold is reached.
pub const ANSWER_DAYS: i64 = 28;
/// How long a petition may take signatures; its author chooses.
pub const OPEN_DAYS: [i32; 3] = [30, 60, 90];
/// Days after its close from which a petition counts as archived.
pub const ARCHIVE_DAYS: i64 = 365;
/// Packs of both issuers from which on one may sign without a name: a secret needs a crowd.
pub const PACKS_NEEDED: i64 = 20;
/// Signatures that stay back until the close, so that the last batch is never smaller than [`FEW`].
pub const RESERVE: i64 = 5;

/// How many of the waiting actions a batch may take: all but the reserve, and never fewer than [`FEW`]; at the close
/// all, unless so few signed that they would be told apart.
pub fn batch_size(waiting: i64, closing: bool) -> i64 {
    let few = FEW as i64;
    match closing {
        true if waiting >= few => waiting,
        false if waiting >= few + RESERVE => waiting - RESERVE,
        _ => 0,
    }
}

/// Which full hour it is; in the example which minute, so that people see batches come.
pub fn turn(at: Time, demo: bool) -> i64 {
    at.jiff().as_second().div_euclid(if demo { 60 } else { 3600 })
}

/// Why a petition may be refused: code, and the rule in words.
pub const REFUSALS: &[(&str, &str)] = &[
    ("not_about_work", "It isn’t about work, or about anything this employer decides."),
    ("about_a_person", "It is about one person, or attacks somebody."),
    ("confidential", "It tells what must stay confidential, such as somebody’s health or a colleague’s pay."),
    ("unlawful", "It asks for something that would break the law."),
    ("same_again", "Another petition asks for the same and is open."),
    ("unclear", "It isn’t clear what it asks for."),
];

/// When a petition closes; while nobody knows it, the latest that the rules allow. Both issuers promise by it, so that
/// no promise is broken by a petition that opens late.
pub fn latest_close(closes_at: Option<Time>, seeking_until: Option<Time>, open_days: i32, now: Time) -> Time {
    closes_at.unwrap_or_else(|| {
        let until = seeking_until.unwrap_or_else(|| now.plus_days(SEEKING_DAYS));
        until.plus_days(CHECKING_DAYS + i64::from(open_days))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_must_sign_and_ten_at_least() {
        assert_eq!([0, 40, 100, 101, 1_600].map(threshold), [10, 10, 10, 11, 160]);
    }

    #[test]
    fn no_batch_and_no_rest_is_small() {
        for total in 0..40i64 {
            // Whatever arrives one by one, each batch and the last one hold five or more.
            let (mut waiting, mut batches) = (0, Vec::new());
            for _ in 0..total {
                waiting += 1;
                let size = batch_size(waiting, false);
                if size > 0 {
                    batches.push(size);
                    waiting -= size;
                }
            }
            batches.push(batch_size(waiting, true));
            assert!(batches.iter().all(|b| *b == 0 || *b >= 5), "{total}: {batches:?}");
            assert_eq!(batches.iter().sum::<i64>(), if total < 5 { 0 } else { total });
        }
    }
}
