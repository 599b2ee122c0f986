//! The sessions that run over broken wires, and what must hold after each. Every session begins
//! with letters 1, 2 and 3 in the inbox and an empty mailbox `box`.

use super::attempt::Visit;
use super::stand::{Mail, OTHER, letter};
use postoffice::client::smtp::Envelope;
use postoffice::client::{Error, ImapClient};
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::flag::Flag;
use postoffice::proto::imap::{MessageId, Messages};
use postoffice::proto::imap::{SearchKey, SequenceSet};
use postoffice::sandbox::{Extension, Extensions, Options, Protocol};
use std::num::NonZeroU32;

pub struct Session {
    pub name: &'static str,
    pub protocol: Protocol,
    /// Changes the options of the sandbox, for example switches extensions off.
    pub options: fn(&mut Options),
    pub run: fn(&mut Visit<'_>) -> Result<(), Error>,
    /// Whether the mail is as it must be once the client knows that everything succeeded.
    pub done: fn(&Mail) -> bool,
    /// Whether the mail is as it must be in any case, even after a failure.
    pub safe: fn(&Mail) -> bool,
}

fn as_they_come(_: &mut Options) {}

fn untouched(mail: &Mail) -> bool {
    *mail == Mail::initial()
}

/// Letters 1 and 3.
fn chosen() -> SequenceSet {
    [1, 3].map(|number| NonZeroU32::new(number).unwrap()).into_iter().collect()
}

/// Logs in, runs `operation` as the part that the session is named after, and logs out.
fn imap(
    visit: &mut Visit<'_>,
    operation: impl FnOnce(&mut ImapClient, &mut Visit<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut client = visit.imap()?;
    client.separator()?; // wait for it here, so that responses come one at a time
    visit.enter();
    operation(&mut client, visit)?;
    visit.told();
    client.close();
    Ok(())
}

fn selected(
    visit: &mut Visit<'_>,
    operation: impl FnOnce(&mut ImapClient, &mut Visit<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    imap(visit, |client, visit| {
        client.select("INBOX", false)?;
        operation(client, visit)
    })
}

fn log_in_and_out(visit: &mut Visit<'_>) -> Result<(), Error> {
    let mut client = visit.imap()?;
    client.separator()?;
    client.settle()?; // the answer to ENABLE
    visit.told();
    client.close();
    Ok(())
}

fn fetch(visit: &mut Visit<'_>) -> Result<(), Error> {
    selected(visit, |client, visit| {
        client.fetch(
            &Messages::Numbers(chosen()),
            &"(FLAGS ENVELOPE)".parse().unwrap(),
            &mut |_| Ok(()),
        )?;
        let found = client.search(&SearchKey::Subject("2".into()))?;
        let number = found.first().copied().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        client.write_letter(MessageId::Number(number), true, "x", &mut visit.found)?;
        Ok(())
    })
}

fn append(visit: &mut Visit<'_>) -> Result<(), Error> {
    imap(visit, |client, _| {
        client.append("box", &[Flag::new("\\Seen")?], None, &letter(4)).map(drop)
    })
}

fn append_from_reader(visit: &mut Visit<'_>) -> Result<(), Error> {
    let letter = letter(4);
    imap(visit, |client, _| {
        client
            .append_from(
                "box",
                &[Flag::new("\\Seen")?],
                None,
                letter.len() as u64,
                &mut &letter[..],
            )
            .map(drop)
    })
}

fn copy(visit: &mut Visit<'_>) -> Result<(), Error> {
    selected(visit, |client, _| client.copy(&Messages::Numbers(chosen()), "box").map(drop))
}

fn move_letters(visit: &mut Visit<'_>) -> Result<(), Error> {
    selected(visit, |client, _| client.move_to(&Messages::Numbers(chosen()), "box").map(drop))
}

fn mark(client: &mut ImapClient) -> Result<(), Error> {
    client.store(
        &Messages::Numbers(chosen()),
        StoreMode::Add,
        &[Flag::new("\\Deleted")?],
        &mut |_| Ok(()),
    )
}

fn delete(visit: &mut Visit<'_>) -> Result<(), Error> {
    selected(visit, |client, _| {
        mark(client)?;
        client.expunge().map(drop)
    })
}

fn expunge_one(visit: &mut Visit<'_>) -> Result<(), Error> {
    selected(visit, |client, _| {
        mark(client)?;
        client.uid_expunge(&NonZeroU32::MIN.into()).map(drop)
    })
}

fn pop_deletions(visit: &mut Visit<'_>) -> Result<(), Error> {
    let mut client = visit.pop()?;
    visit.enter();
    client.letter(1, None)?;
    client.delete(&[1, 3])?;
    client.close()?;
    visit.told();
    Ok(())
}

fn pop_letters(visit: &mut Visit<'_>) -> Result<(), Error> {
    let mut client = visit.pop()?;
    visit.enter();
    client.letter(1, Some(1))?;
    client.unique_ids()?;
    client.letters(&[2, 1, 3], &[], None, &mut |number, letter| {
        if number == 2 {
            visit.found = letter.into_bytes()?;
        }
        Ok(())
    })?;
    visit.told();
    client.close()
}

fn send(visit: &mut Visit<'_>, to: &[&str], log_in: bool) -> Result<(), Error> {
    let mut client = visit.smtp(log_in)?;
    visit.enter();
    let to: Vec<String> = to.iter().map(|user| format!("{user}@example.org")).collect();
    client.send(
        &Envelope { from: "joe@example.org", to: &to, partial: false, long_lines: false },
        &letter(4),
    )?;
    visit.told();
    client.close();
    Ok(())
}

fn is_moved(mail: &Mail) -> bool {
    (&mail.inbox[..], &mail.boxed[..]) == (&[2], &[1, 3])
}

fn is_somewhere(mail: &Mail) -> bool {
    let twice = |letters: &[u32]| letters.windows(2).any(|pair| pair[0] == pair[1]);
    let there = (1..=3).all(|number| mail.inbox.contains(&number) || mail.boxed.contains(&number));
    there && !twice(&mail.inbox) && !twice(&mail.boxed) && !mail.boxed.contains(&0)
}

fn only_box_changed(mail: &Mail, complete: &[u32]) -> bool {
    mail.inbox == [1, 2, 3] && (mail.boxed.is_empty() || mail.boxed == complete)
}

const fn imap_session(name: &'static str, run: fn(&mut Visit<'_>) -> Result<(), Error>) -> Session {
    Session {
        name,
        protocol: Protocol::Imap,
        options: as_they_come,
        run,
        done: untouched,
        safe: untouched,
    }
}

pub static SESSIONS: [Session; 20] = [
    imap_session("imap login", log_in_and_out),
    Session {
        options: |options| {
            let extensions = Extensions::default().without(Extension::SaslIr);
            options.extensions = extensions.without(Extension::LiteralPlus)
        },
        ..imap_session("imap login with questions", log_in_and_out)
    },
    Session {
        options: |options| options.extensions = Extensions::none().without(Extension::AuthPlain),
        ..imap_session("imap login by LOGIN", log_in_and_out)
    },
    imap_session("imap fetch", fetch),
    Session {
        done: |mail| mail.inbox == [1, 2, 3] && mail.boxed == [4],
        safe: |mail| only_box_changed(mail, &[4]),
        ..imap_session("imap append", append)
    },
    Session {
        options: |options| options.extensions.set(Extension::LiteralPlus, false),
        done: |mail| mail.inbox == [1, 2, 3] && mail.boxed == [4],
        safe: |mail| only_box_changed(mail, &[4]),
        ..imap_session("imap append that waits", append)
    },
    Session {
        done: |mail| mail.inbox == [1, 2, 3] && mail.boxed == [4],
        safe: |mail| only_box_changed(mail, &[4]),
        ..imap_session("imap append from a reader", append_from_reader)
    },
    Session {
        options: |options| options.extensions.set(Extension::LiteralPlus, false),
        done: |mail| mail.inbox == [1, 2, 3] && mail.boxed == [4],
        safe: |mail| only_box_changed(mail, &[4]),
        ..imap_session("imap append from a reader that waits", append_from_reader)
    },
    Session {
        done: |mail| mail.inbox == [1, 2, 3] && mail.boxed == [1, 3],
        safe: |mail| only_box_changed(mail, &[1, 3]),
        ..imap_session("imap copy", copy)
    },
    Session { done: is_moved, safe: is_somewhere, ..imap_session("imap move", move_letters) },
    Session {
        options: |options| options.extensions.set(Extension::Move, false),
        done: is_moved,
        safe: is_somewhere,
        ..imap_session("imap move by copy", move_letters)
    },
    Session {
        options: |options| {
            options.extensions.set(Extension::Move, false);
            options.extensions.set(Extension::UidPlus, false)
        },
        done: is_moved,
        safe: is_somewhere,
        ..imap_session("imap move by copy and EXPUNGE", move_letters)
    },
    Session {
        done: |mail| mail.inbox == [2],
        safe: |mail| mail.inbox == [2] || mail.inbox == [1, 2, 3],
        ..imap_session("imap delete", delete)
    },
    Session {
        done: |mail| mail.inbox == [2, 3],
        safe: |mail| mail.inbox == [2, 3] || mail.inbox == [1, 2, 3],
        ..imap_session("imap expunge of one", expunge_one)
    },
    Session {
        protocol: Protocol::Pop,
        done: |mail| mail.inbox == [2],
        safe: |mail| mail.inbox == [2] || mail.inbox == [1, 2, 3],
        ..imap_session("pop deletions", pop_deletions)
    },
    Session { protocol: Protocol::Pop, ..imap_session("pop letters", pop_letters) },
    Session {
        protocol: Protocol::Pop,
        options: |options| options.pop = postoffice::sandbox::PopExtensions::none(),
        done: |mail| mail.inbox == [2],
        safe: |mail| mail.inbox == [2] || mail.inbox == [1, 2, 3],
        ..imap_session("pop deletions on an old server", pop_deletions)
    },
    Session {
        protocol: Protocol::Smtp,
        done: |mail| mail.other == [4],
        safe: |mail| mail.inbox == [1, 2, 3] && (mail.other.is_empty() || mail.other == [4]),
        ..imap_session("smtp to one", |visit| send(visit, &[OTHER], false))
    },
    Session {
        protocol: Protocol::Smtp,
        done: |mail| mail.other == [4] && mail.inbox == [1, 2, 3, 4],
        safe: |mail| (mail.other == [4] && mail.inbox == [1, 2, 3, 4]) || untouched(mail),
        ..imap_session("smtp to two", |visit| send(visit, &["user", OTHER], false))
    },
    Session {
        protocol: Protocol::Smtp,
        options: |options| options.smtp.pipelining = false,
        done: |mail| mail.other == [4],
        safe: |mail| mail.inbox == [1, 2, 3] && (mail.other.is_empty() || mail.other == [4]),
        ..imap_session("smtp with a login and without PIPELINING", |visit| {
            send(visit, &[OTHER], true)
        })
    },
];

/// Returns the session with this name.
pub fn session(name: &str) -> &'static Session {
    SESSIONS.iter().find(|session| session.name == name).unwrap()
}
