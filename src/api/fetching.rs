//! Fetching letters, their parts and their fields.
//!
//! `fetch-parts`, `fetch-letter` and `fetch-letters` begin a FETCH whose responses `FetchedItems`
//! turns directly into Lisp values, and make their result from that list. The operation goes
//! through `pipeline`, so the first two can also be sent without waiting. A FETCH by number notes
//! the numbers that the script gets, for `shifting`. The last two hand over to `pop` for a POP
//! mailbox. The rows for saving, reading in pieces and searching are here, too; their natives have
//! files of their own.

use super::Answer;
use super::mailbox::{asked_count, failed, mailbox, on_mailbox, pop_mailbox, progress};
use super::pipeline;
use super::pop;
use super::progress::Progress;
use super::sets::{addressed, message, message_id, messages, required};
use super::shifting::Given;
use super::values::{Texts, Wanted, fetched};
use crate::client::{Error, Fetch, FetchReader, ImapClient, Pending};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Context, Function, Run, Type, Value};
use crate::proto::Limits;
use crate::proto::imap::items::answer_name;
use crate::proto::imap::{Data, FetchItems, Messages};
use std::sync::Arc;

/// The rows of the topic "Fetching".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "fetch-parts",
        "(mb messages parts &key uid raw)",
        fetch_parts,
        "Fetches parts of messages. Returns ((number (\"NAME\" value …)) …) in the server's order, which fetch-field reads.
mb: a mailbox object. messages: a number, (:seq N M), or a list of these; () means none. M may be :*, the last message. :saved is the result of the last search-mailbox with :return '(:save).
parts: a string, or a list of items such as '(\"flags\" :envelope), in IMAP's notation (RFC 3501 6.4.5): \"body[]\", \"(flags envelope)\", \"body.peek[header.fields (from to)]\", \"body[]<0.1000>\", \"all\"; of extensions \"emailid\", \"threadid\", \"savedate\", \"preview\", and on Gmail \"x-gm-labels\", \"x-gm-msgid\", \"x-gm-thrid\".
:uid  t takes messages as unique ids. :raw  t returns bytevectors with the exact bytes instead of strings.
Errors: :error-response, :syntax-error for parts that are not balanced, :unsupported for one of an extension that the server does not offer, :response-too-large.",
    ).typed(&[("uid", Type::Truth), ("raw", Type::Truth)]).checked(),
    Function::native(
        "fetch-letter",
        "(mb message &optional parts &key uid peek raw)",
        fetch_letter,
        "The whole letter, a string with \\n line ends. It counts as seen afterwards.
mb: a mailbox object. message: an integer. parts: if given, the result is that of fetch-parts.
:uid  t takes message as a unique id. :peek  t does not set :\\\\seen. :raw  t returns a bytevector with the exact bytes.
Errors: :error-response when there is no such message.",
    ).typed(&[("uid", Type::Truth), ("peek", Type::Truth), ("raw", Type::Truth)]).checked(),
    Function::native(
        "fetch-letters",
        "(mb messages &key uid peek raw)",
        fetch_letters,
        "Whole letters, requested together: the list ((number \"letter\") …) in the server's order. They count as seen afterwards.
mb: a mailbox object of either kind. messages  as for fetch-parts. :uid  t takes messages as unique ids, which then replace the numbers.
:peek  t does not set :\\\\seen. :raw  t returns bytevectors with the exact bytes. for-each-letter and save-letters handle any number of letters with little memory. Errors: :error-response.",
    ).typed(&[("uid", Type::Truth), ("peek", Type::Truth), ("raw", Type::Truth)]).checked(),
    Function::native(
        "fetch-field",
        "(message part info &key uid)",
        fetch_field,
        "Takes one part of one message from a result of fetch-parts; nil if it is not there.
message: an integer. part: a string as for fetch-parts, in any case; \"body.peek[x]\" finds \"BODY[x]\". info: the result; if it is a string, as fetch-letter returns it, it is returned unchanged.
:uid  t compares message with the unique ids in info.",
    ).typed(&[("uid", Type::Truth)]).checked(),
    Function::native(
        "%letter-batches",
        "(f mb messages parts &key uid)",
        super::batches::letter_batches,
        "The batches that for-each-letter fetches one after the other: lists of unique ids of about a megabyte each. Checks the arguments of for-each-letter.
f mb messages parts :uid  as for for-each-letter. Errors: :error-response.",
    ).typed(&[("uid", Type::Truth), ("f", Type::Function(1))]).inside_of("for-each-letter").checked(),
    Function::native(
        "%fetch-batch",
        "(mb messages parts next &key uid raw)",
        fetch_batch,
        "One batch of for-each-letter, on either kind of mailbox. next: the batch after it, which is requested meanwhile, or (). The other arguments and the result as for fetch-parts.",
    ).typed(&[("uid", Type::Truth), ("raw", Type::Truth)]).inside_of("for-each-letter").checked(),
    Function::new(
        "for-each-letter",
        "(f mb messages parts &key uid raw)",
        "Calls f with each item of fetch-parts, (number (\"NAME\" value …)), one after the other. Memory stays flat for any number of messages.
f: a function of one argument; it may use mb itself. mb: a mailbox object; on a POP mailbox parts is \"body[]\" or \"body[header]\". messages parts :uid :raw  as for fetch-parts. Returns t.
Errors: those of fetch-parts and of f; the rest is not fetched then.",
        Run::Scheme(
            "(lambda (f mb messages parts &key uid raw)
               (do ((batches (%letter-batches f mb messages parts :uid uid) (%cdr batches)))
                   ((null? batches) t)
                 (let ((next (if (null? (%cdr batches)) '() (%car (%cdr batches)))))
                   (dolist (item (%fetch-batch mb (%car batches) parts next :uid uid :raw raw))
                     (f item)))))",
        ),
    ).typed(&[("uid", Type::Truth), ("raw", Type::Truth)]).checked(),
    Function::native(
        "save-letter",
        "(mb message path &key uid append mbox)",
        super::files::save_letter,
        "Writes a letter's exact bytes to a file as they arrive. Memory stays flat, and :\\\\seen is not set. The file does not change until the letter is complete.
mb: a mailbox object. message: an integer. path: a string. :uid  t takes message as a unique id.
:append  t adds to the file, in one go when the letter is complete. :mbox  t writes an entry of an mbox file: a From line, LF line ends, and lines that begin with From quoted.
Returns t. Errors: :file when it cannot be written, :error-response when there is no such message.",
    ).typed(&[("uid", Type::Truth), ("append", Type::Truth), ("mbox", Type::Truth)]).checked(),
    Function::native(
        "%save-letters",
        "(mb messages path &key uid prefix mbox)",
        super::saving::save_letters,
        "Does the work of save-letters for messages of a mailbox. Arguments and result as there.",
    ).typed(&[("uid", Type::Truth), ("prefix", Type::String), ("mbox", Type::Truth)]).inside_of("save-letters").checked(),
    Function::native(
        "save-attachments",
        "(mb message folder &key uid)",
        super::attachments::save_attachments,
        "Writes all attachments of a letter to new files in a folder while the letter arrives (RFC 2046, RFC 2183). Memory stays flat, and :\\\\seen is not set. The attachments are those of letter-attachments. The
file names are those of save-attachment: made safe, with a number where a name is taken; nothing is overwritten. Either all files exist afterwards, or none.
mb: a mailbox object of either kind. message: an integer. folder: a string, a folder that exists. :uid  t takes message as a unique id, over IMAP.
Returns the list of the paths, strings, in the letter's order; nil if it has no attachments. Errors: :file when they cannot be written, :error-response when there is no such message.",
    ).typed(&[("uid", Type::Truth)]).checked(),
    Function::native(
        "%begin-letter-sequence",
        "(mb message &key uid peek)",
        super::pieces::begin,
        "Fetches the letter that fetch-letter-sequence then hands over. Arguments and errors as for with-fetch-letter-sequence.",
    ).typed(&[("uid", Type::Truth), ("peek", Type::Truth)]).inside_of("with-fetch-letter-sequence").checked(),
    Function::native(
        "%end-letter-sequence",
        "(mb)",
        super::pieces::end,
        "Drops the letter. mb: a mailbox object. Returns nil.",
    ).inside_of("with-fetch-letter-sequence").checked(),
    Function::new(
        "with-fetch-letter-sequence",
        "((mb message . options) . body)",
        "Runs the body, in which fetch-letter-sequence hands over a letter in pieces and end-of-letter-p says whether it is complete. Memory stays flat for a letter of any size, and the connection is free for other commands.
mb: a mailbox object of either kind. message: an integer. :uid  t takes message as a unique id. :peek  t does not set :\\\\seen.
Returns the value of the body's last form. Errors: those of the body, :error-response when there is no such message.",
        Run::Macro(
            "(syntax-rules ()
               ((_ (mb . arguments) body ...)
                (let ((mailbox mb))
                  (%begin-letter-sequence mailbox . arguments)
                  (unwind-protect (progn body ...) (%end-letter-sequence mailbox)))))",
        ),
    ).checked(),
    Function::native(
        "fetch-letter-sequence",
        "(mb buffer &key start end)",
        super::pieces::fetch_letter_sequence,
        "Copies the letter's next bytes, exactly as the server has them, into a buffer. Returns the index after the last byte that was copied; :start when nothing is left.
mb: the mailbox object of with-fetch-letter-sequence. buffer: a bytevector. :start :end  the part of it to fill, integers; by default the whole.
Errors: :syntax-error outside of with-fetch-letter-sequence.",
    ).checked(),
    Function::native(
        "end-of-letter-p",
        "(mb)",
        super::pieces::end_of_letter_p,
        "Whether fetch-letter-sequence has handed over the whole letter. mb: the mailbox object of with-fetch-letter-sequence.
Errors: :syntax-error outside of with-fetch-letter-sequence.",
    ).checked(),
    Function::native(
        "ensure-directories-exist",
        "(path)",
        super::files::ensure_directories_exist,
        "Creates the folders that lead to a file, or to a folder if the path ends in a slash or is a lone name without an extension.
path: a string. Returns it. Errors: :file when they cannot be created.",
    ).checked(),
    Function::native(
        "search-mailbox",
        "(mb expression &key uid return partial exact)",
        super::searching::search_mailbox,
        "The messages that match an expression, an ascending list of integers.
mb: a mailbox object. :uid  t returns unique ids.
:return  a list of :min :max :count :all :save. The result is then a list of what was asked for, in that order: ((:min 2) (:max 9) (:count 4) (:all (2 3 7 9))); nil stands for what does not exist. The server sends only that, if it offers ESEARCH (RFC 4731); otherwise it is computed here.
:save keeps the result as the message set :saved until another mailbox is selected, and returns nothing itself. It works on every server, and the server holds the set if it offers SEARCHRES (RFC 5182). With :min, :max and :partial alone only what these return is kept.
:partial  a list of two places in the result, (1 100) for the first hundred, (-1 -100) for the last (RFC 9394). Adds (:partial (2 3 …)).
expression: a predicate, (and e …), (or e …) or (not e). Predicates: a number, (:seq n m), a list of these;
:all :answered :deleted :draft :flagged :new :old :recent :seen :unanswered :undeleted :undraft :unflagged :unseen;
(:bcc s) (:body s) (:cc s) (:from s) (:header field s) (:subject s) (:text s) (:to s);
(:before d) (:on d) (:since d) (:sentbefore d) (:senton d) (:sentsince d), d being a string as for parse-date, whose day is taken as it is written, or a universal time, whose day is that in UTC;
(:keyword flag) (:unkeyword flag) (:larger n) (:smaller n) (:uid set) :saved (:older days) (:younger days) (:modseq n) (:gmail \"…\") (:raw \"…\"); on Gmail (:x-gm-labels s) (:x-gm-thrid n) (:x-gm-msgid n), and :gmail for its own syntax. :older and :younger count days of 24 hours from now to the internal date, to the second.
Strings that are not ASCII are sent as UTF-8.
Keys that no server knows are decided here: (:matches field regexp), a decoded header field, named by a string or a keyword, matches; (:body-matches regexp), a decoded text that is not an attachment, HTML without its tags; (:list s), the List-Id is s, as letter-list-id gives it; (:attachment \"*.pdf\"), the name of an attachment, with * and ?, in any case; :has-attachment; (:age> days) and (:age< days), as :older and :younger, but with parts of days; (:thread-of uid), the letters of that letter's thread, by References and subject; (:where f), f being a function of a letter, for which letter-subject and the others work. regexp is a string as for match-re or what compile-re returned; (?i) at its beginning ignores case. Files that are uuencoded within a text are no attachments here.
The server finds what it can, and the least that decides the rest is fetched for all letters together: flags and header fields, then body structures, then texts; :\\\\seen is not set. explain-search shows what would be done. f is called last, only for letters that everything else leaves open.
:exact  t decides :bcc :body :cc :from :header :subject :text and :to here, too, and finds substrings without regard to case, in decoded texts (RFC 3501 6.4.4); some servers find only words.
Errors: :syntax-error for a wrong expression or regular expression, before anything is sent; :error-response; those of f.",
    ).typed(&[("uid", Type::Truth), ("partial", Type::List), ("exact", Type::Truth)]).checked(),
    Function::native(
        "explain-search",
        "(mb expression &key exact)",
        super::searching::explain_search,
        "What a search would do, the list ((:server text) (:asked (text …)) (:here text) (:needs items) (:bytes n) (:letters n) (:commands n)).
:server is what narrows, as it is sent; :asked are further searches, of which :here says (:asked number). :here is what would be decided here, nil if nothing would; :needs says on what: :flags, which are flags, size and arrival, (:header field …), :structure, :text, :procedure. :letters is how many letters the rest is about, :commands how many commands a search would send, more if the texts are large, and :bytes, if texts are needed, the size of these letters. What is not known or none is left out.
The searches of :server and the threads of :thread-of are carried out to count the letters; what is decided here is not.
mb: a mailbox object. expression, :exact  as for search-mailbox. Errors: as there.",
    ).typed(&[("exact", Type::Truth)]).checked(),
    Function::native(
        "sort-mailbox",
        "(mb criteria expression &key uid exact)",
        super::ordering::sort_mailbox,
        "The messages that match an expression, in order (RFC 5256): a list of integers. The server sorts if it offers SORT; otherwise the header fields that are needed are fetched and sorted here, with the same result.
mb: a mailbox object. expression  as for search-mailbox. :uid  t returns unique ids. :exact  as there.
criteria: one of :arrival :date :size :subject :from :to :cc :displayfrom :displayto, or a list of these; :reverse before one reverses it: (:reverse :date :subject). :arrival is the internal date and :date that of the letter. :subject is compared without Re: and the like, :from :to :cc by the local part of the first address, :displayfrom :displayto by its name (RFC 5957). Messages that are equal come in the order of their numbers.
Errors: as search-mailbox.",
    ).typed(&[("uid", Type::Truth), ("exact", Type::Truth)]).checked(),
    Function::native(
        "thread-mailbox",
        "(mb algorithm expression &key uid exact)",
        super::ordering::thread_mailbox,
        "The messages that match an expression, in threads (RFC 5256): a list of threads such as ((2) (3 6 (4 23) (44 7 96))). In a thread each message answers the one before it; where several answer one, each begins a list of its own. A thread that begins with a list has a first letter that is not there. The server makes the threads if it offers THREAD; otherwise they are made here from a few header fields, with the same result.
mb: a mailbox object. expression  as for search-mailbox. :uid  t returns unique ids. :exact  as there.
algorithm: :references, by the letters that a letter refers to, then by subject; :refs, without subjects, the thread with the newest letter last; :orderedsubject, by subject and date only.
Errors: as search-mailbox.",
    ).typed(&[("uid", Type::Truth), ("exact", Type::Truth)]).checked(),
];

/// Checks FETCH items without a connection.
pub(super) fn check(function: &str, items: &Value) -> Result<(), Condition> {
    let wrong = |expected| host::wrong_argument(function, "parts", expected, items);
    let text = host::as_str(items).ok_or_else(|| wrong("a string"))?;
    FetchItems::parse(text).map(drop).map_err(|error| wrong(error.expected))
}

/// Parses the FETCH items in argument `index`.
pub(super) fn items(call: &Call<'_>, index: usize) -> Result<FetchItems, Condition> {
    let given = required(call, index);
    let parse = |text: &str| {
        FetchItems::parse(text).map_err(|error| call.wrong("parts", error.expected, given))
    };
    let Some(list) = host::as_list(given).filter(|_| !host::is_nil(given)) else {
        return parse(call.string(index)?);
    };
    let item = |item: &Value| {
        let name = host::as_str(item).or_else(|| host::as_keyword(item));
        name.filter(|name| !name.contains('(') || name.contains('[')).map(str::to_owned)
    };
    let items: Option<Vec<String>> = list.map(|value| item(&value)).collect();
    let items = items.ok_or_else(|| {
        call.wrong("parts", "a string, or a list of items, strings or keywords", given)
    })?;
    items.iter().try_for_each(|item| parse(item).map(drop))?;
    parse(&format!("({})", items.join(" ")))
}

pub(super) fn texts(call: &Call<'_>) -> Texts {
    if call.boolean_key("raw") { Texts::Raw } else { Texts::Strings }
}

pub(super) fn fetch_parts(call: &Call<'_>) -> Answer {
    let (messages, items) = (addressed(call, 1)?, items(call, 2)?);
    fetch(call, &messages, &items, |_, list| Ok(list))
}

/// Runs a FETCH whose items become a list; `then` makes the call's result from that list.
fn fetch(
    call: &Call<'_>,
    messages: &Messages,
    items: &FetchItems,
    then: impl FnOnce(&Context, Value) -> Answer + Send + 'static,
) -> Answer {
    let mailbox = mailbox(call)?;
    let shown = FetchedItems::of(call, call.boolean_key("uid"));
    call.context().let_go();
    let given = mailbox.extra::<Given>();
    let begin = |client: &mut ImapClient| {
        if !messages.are_uids() {
            given.note(client, client.asked_for(messages));
        }
        begin_fetch(client, messages, items, shown)
    };
    pipeline::perform_read(call, &mailbox, begin, |context, values| {
        let value = then(context, host::list(values))?;
        context.hold(&value);
        Ok(value)
    })
}

fn begin_fetch(
    client: &mut ImapClient,
    messages: &Messages,
    items: &FetchItems,
    mut reader: FetchedItems,
) -> Result<Pending<Fetch<FetchedItems>>, Error> {
    reader.limits = client.limits().clone();
    reader.progress.expect_messages(asked_count(client, messages));
    client.begin_fetch(messages, items, reader)
}

/// Turns FETCH responses into Lisp values.
struct FetchedItems {
    texts: Texts,
    by_uid: bool,
    limits: Limits,
    progress: Arc<Progress>,
    items: Option<FetchItems>,
    values: Vec<Value>,
}

impl FetchedItems {
    fn of(call: &Call<'_>, by_uid: bool) -> Self {
        FetchedItems {
            texts: texts(call),
            by_uid,
            limits: Limits::default(),
            progress: progress(call),
            items: None,
            values: Vec::new(),
        }
    }
}

impl FetchReader for FetchedItems {
    type Output = Vec<Value>;

    fn asked(&mut self, items: &FetchItems) {
        self.items = Some(items.clone());
    }

    fn item(&mut self, data: Data<'_>) -> Result<(), Error> {
        let wanted = Wanted { items: self.items.as_ref(), by_uid: self.by_uid };
        self.values.extend(fetched(data, self.texts, wanted, &self.limits)?);
        self.progress.message();
        Ok(())
    }

    fn finish(self) -> Result<Vec<Value>, Error> {
        Ok(self.values)
    }
}

pub(super) fn fetch_letter(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::fetch_letter(call, &mailbox);
    }
    let peek = call.boolean_key("peek");
    if call.arg(2).is_some() {
        // The manual's own example passes parts; the call is fetch-parts then.
        let (messages, items) = (addressed(call, 1)?, items(call, 2)?);
        let items = if peek { items.peeking() } else { items };
        return fetch(call, &messages, &items, |_, list| Ok(list));
    }
    let message = message_id(call, 1)?;
    let (name, texts) = (call.name().to_owned(), texts(call));
    fetch(call, &message.into(), &letter_items(call)?, move |_, items| {
        letter_of(&items, i64::from(message.get()), message.is_uid(), texts).ok_or_else(|| {
            let what = if message.is_uid() { "with the unique id" } else { "with the number" };
            let missing = format!("{name}: there is no message {what} {}", message.get());
            Condition::new(Identifier::ErrorResponse, missing)
        })
    })
}

/// Returns `BODY[]`, or its peeking form with `:peek t`.
fn letter_items(call: &Call<'_>) -> Result<FetchItems, Condition> {
    let items = FetchItems::parse("body[]").map_err(|error| failed(call, &error.into()))?;
    Ok(if call.boolean_key("peek") { items.peeking() } else { items })
}

pub(super) fn fetch_letters(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::fetch_letters(call, &mailbox);
    }
    let messages = addressed(call, 1)?;
    let (uid, texts) = (call.boolean_key("uid"), texts(call));
    fetch(call, &messages, &letter_items(call)?, move |_, items| {
        let letters = host::as_list(&items).into_iter().flatten().filter_map(|item| {
            let item: Vec<Value> = host::as_list(&item)?.collect();
            let [number, parts] = &item[..] else { return None };
            let number = if uid { part(parts, "UID")? } else { number.clone() };
            Some(host::list(vec![number, whole(part(parts, "BODY[]")?, texts)]))
        });
        Ok(host::list(letters.collect()))
    })
}

/// A letter; NIL is how some servers send an empty one.
fn whole(letter: Value, texts: Texts) -> Value {
    match texts {
        _ if !host::is_nil(&letter) => letter,
        Texts::Strings => host::string(""),
        Texts::Raw => host::bytes(Vec::new()),
    }
}

/// Returns one of an item's parts.
fn part(parts: &Value, name: &str) -> Option<Value> {
    let parts: Vec<Value> = host::as_list(parts)?.collect();
    let is_named = |key: &Value| host::as_str(key).is_some_and(|key| answer_name(key) == name);
    parts.as_chunks::<2>().0.iter().find(|[key, _]| is_named(key)).map(|[_, value]| value.clone())
}

pub(super) fn fetch_field(call: &Call<'_>) -> Answer {
    let message = i64::from(message(call, 0)?.get());
    let (part, info) = (answer_name(call.string(1)?), required(call, 2));
    if host::as_str(info).is_some() {
        return Ok(info.clone()); // the result of fetch-letter is the letter itself
    }
    let is_result = host::as_list(info).is_some_and(|mut items| {
        items.all(|item| host::as_list(&item).is_some_and(|item| item.len() == 2))
    });
    if !is_result {
        return Err(call.wrong("info", "what fetch-parts or fetch-letter returned", info));
    }
    Ok(field_of(info, message, &part, call.boolean_key("uid")).unwrap_or_else(host::nil))
}

/// Finds a part of a message in a result of fetch-parts. Several items may be about the same
/// message.
fn field_of(info: &Value, message: i64, wanted: &str, uid: bool) -> Option<Value> {
    fields_of(info, message, wanted, uid)?.find(|value| !host::is_nil(value))
}

/// Finds a whole letter in the same way.
fn letter_of(info: &Value, message: i64, uid: bool, texts: Texts) -> Option<Value> {
    field_of(info, message, "BODY[]", uid)
        .or_else(|| fields_of(info, message, "BODY[]", uid)?.next())
        .map(|letter| whole(letter, texts))
}

fn fields_of<'v>(
    info: &'v Value,
    message: i64,
    wanted: &'v str,
    uid: bool,
) -> Option<impl Iterator<Item = Value> + 'v> {
    Some(host::as_list(info)?.filter_map(move |item| {
        let item: Vec<Value> = host::as_list(&item)?.collect();
        let [number, parts] = &item[..] else { return None };
        let told = if uid { part(parts, "UID") } else { Some(number.clone()) };
        if told.as_ref().and_then(host::as_integer) != Some(message) {
            return None;
        }
        part(parts, wanted)
    }))
}

/// Fetches one batch of `for-each-letter` by UID and requests the next one ahead.
pub(super) fn fetch_batch(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::fetch_batch(call, &mailbox);
    }
    let [batch, next] = [messages(call, 1)?, messages(call, 3)?].map(Messages::Uids);
    let items = items(call, 2)?;
    // Items show their UIDs only if the script asked for them.
    let shown = FetchedItems::of(call, call.boolean_key("uid"));
    let values = on_mailbox(call, |client| {
        let batch = begin_fetch(client, &batch, &items, shown)?;
        if !next.is_empty() {
            client.expect_fetch(next, &items)?;
        }
        client.wait(batch)
    })?;
    Ok(host::list(values))
}
