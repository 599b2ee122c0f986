//! The IMAP extensions of the sandbox as one table. An extension that is off is neither advertised
//! nor accepted.

use std::{fmt, str::FromStr};

/// Something beyond RFC 3501's minimum that the sandbox can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extension {
    /// `IMAP4rev2` (RFC 9051), once it is enabled. Off by default, since it has no `\Recent`. It needs
    /// what it includes.
    Rev2,
    /// `LITERAL+` (RFC 7888): non-synchronizing literals of any size.
    LiteralPlus,
    /// `LITERAL-` (RFC 7888): non-synchronizing literals up to 4096 octets. Off by default, since
    /// `LITERAL+` includes it.
    LiteralMinus,
    /// `STARTTLS` on the plain listener.
    StartTls,
    /// `LOGINDISABLED` until TLS is up. Off by default, since the manual's session logs in without
    /// TLS on port 143.
    LoginDisabled,
    /// `AUTH=PLAIN` (RFC 4616).
    AuthPlain,
    /// `SASL-IR` (RFC 4959): an initial response on the AUTHENTICATE line.
    SaslIr,
    /// `IDLE` (RFC 2177).
    Idle,
    /// `UNSELECT` (RFC 3691).
    Unselect,
    /// `UIDPLUS` (RFC 4315): UID EXPUNGE, APPENDUID and COPYUID.
    UidPlus,
    /// `MOVE` (RFC 6851).
    Move,
    /// `ID` (RFC 2971).
    Id,
    /// `ENABLE` (RFC 5161).
    Enable,
    /// `NAMESPACE` (RFC 2342).
    Namespace,
    /// `CHILDREN` (RFC 3348): `\HasChildren` and `\HasNoChildren` in LIST.
    Children,
    /// `QUOTA` (RFC 9208): GETQUOTA and GETQUOTAROOT. Quotas are enforced even without it.
    Quota,
    /// `COMPRESS=DEFLATE` (RFC 4978), after the login.
    Compress,
    /// `ACL` (RFC 4314): who may do what with a mailbox.
    Acl,
    /// `STATUS=SIZE` (RFC 8438): the size of a mailbox in STATUS.
    StatusSize,
    /// `WITHIN` (RFC 5032): OLDER and YOUNGER in SEARCH.
    Within,
    /// `ESEARCH` (RFC 4731): RETURN in SEARCH.
    ESearch,
    /// `SEARCHRES` (RFC 5182): `$`, the saved result of a search.
    SearchRes,
    /// `PARTIAL` (RFC 9394): parts of a search result.
    Partial,
    /// `SORT` (RFC 5256).
    Sort,
    /// `SORT=DISPLAY` (RFC 5957): DISPLAYFROM and DISPLAYTO in SORT.
    SortDisplay,
    /// `THREAD=ORDEREDSUBJECT` (RFC 5256).
    ThreadOrderedSubject,
    /// `THREAD=REFERENCES` (RFC 5256).
    ThreadReferences,
    /// `THREAD=REFS` (draft-ietf-morg-inthread): as REFERENCES, without subjects.
    ThreadRefs,
    /// `LIST-EXTENDED` (RFC 5258): LIST with options and several patterns.
    ListExtended,
    /// `LIST-STATUS` (RFC 5819): STATUS as a part of LIST. It needs `LIST-EXTENDED`.
    ListStatus,
    /// `SPECIAL-USE` (RFC 6154): what mailboxes are for.
    SpecialUse,
    /// `CREATE-SPECIAL-USE` (RFC 6154): CREATE says what a mailbox is for.
    CreateSpecialUse,
    /// `METADATA` (RFC 5464): notes on mailboxes and on the server.
    Metadata,
    /// `OBJECTID` (RFC 8474): MAILBOXID, EMAILID and THREADID.
    ObjectId,
    /// `SAVEDATE` (RFC 8514): when a letter came into its mailbox.
    SaveDate,
    /// `PREVIEW` (RFC 8970): the beginning of a letter's text.
    Preview,
    /// `APPENDLIMIT` (RFC 7889): the size of the largest letter.
    AppendLimit,
    /// `CONDSTORE` (RFC 7162): mod-sequences.
    CondStore,
    /// `QRESYNC` (RFC 7162): what changed and vanished since a mod-sequence. Needs `CONDSTORE` and
    /// `ENABLE`.
    QResync,
    /// `X-GM-EXT-1`: Gmail's labels in FETCH and STORE. Off by default, since only Gmail has it.
    Gmail,
    /// `UTF8=ACCEPT` (RFC 6855): names and strings in UTF-8, once it is enabled.
    Utf8Accept,
    /// `MULTIAPPEND` (RFC 3502): several letters in one APPEND, all or none of which are stored.
    MultiAppend,
    /// `BINARY` (RFC 3516): parts decoded by the server, and letters with NUL.
    Binary,
    /// `REPLACE` (RFC 8508): a new letter in the place of an old one.
    Replace,
    /// `NOTIFY` (RFC 5465): what happens in other mailboxes than the selected one.
    Notify,
}

/// When an extension is advertised.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Advertised {
    Always,
    AfterLogin,
    BeforeLogin,
    BeforeLoginWithoutTls,
}

/// An extension, its capabilities, when they are advertised, and whether it is on by default.
type Row = (Extension, &'static [&'static str], Advertised, bool);

/// In the order in which the capabilities are advertised.
const TABLE: &[Row] = &[
    (Extension::Rev2, &["IMAP4rev2"], Advertised::Always, false),
    (Extension::LiteralPlus, &["LITERAL+"], Advertised::Always, true),
    (Extension::LiteralMinus, &["LITERAL-"], Advertised::Always, false),
    (Extension::StartTls, &["STARTTLS"], Advertised::BeforeLoginWithoutTls, true),
    (Extension::LoginDisabled, &["LOGINDISABLED"], Advertised::BeforeLoginWithoutTls, false),
    (Extension::AuthPlain, &["AUTH=PLAIN"], Advertised::BeforeLogin, true),
    (Extension::SaslIr, &["SASL-IR"], Advertised::BeforeLogin, true),
    (Extension::Idle, &["IDLE"], Advertised::Always, true),
    (Extension::Unselect, &["UNSELECT"], Advertised::Always, true),
    (Extension::UidPlus, &["UIDPLUS"], Advertised::Always, true),
    (Extension::Move, &["MOVE"], Advertised::Always, true),
    (Extension::Id, &["ID"], Advertised::Always, true),
    (Extension::Enable, &["ENABLE"], Advertised::Always, true),
    (Extension::Namespace, &["NAMESPACE"], Advertised::Always, true),
    (Extension::Children, &["CHILDREN"], Advertised::Always, true),
    (
        Extension::Quota,
        &["QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE"],
        Advertised::Always,
        true,
    ),
    (Extension::Compress, &["COMPRESS=DEFLATE"], Advertised::AfterLogin, true),
    (Extension::Acl, &["ACL", "RIGHTS=kxte"], Advertised::Always, true),
    (Extension::StatusSize, &["STATUS=SIZE"], Advertised::Always, true),
    (Extension::Within, &["WITHIN"], Advertised::Always, true),
    (Extension::ESearch, &["ESEARCH"], Advertised::Always, true),
    (Extension::SearchRes, &["SEARCHRES"], Advertised::Always, true),
    (Extension::Partial, &["PARTIAL"], Advertised::Always, true),
    (Extension::Sort, &["SORT"], Advertised::Always, true),
    (Extension::SortDisplay, &["SORT=DISPLAY"], Advertised::Always, true),
    (Extension::ThreadOrderedSubject, &["THREAD=ORDEREDSUBJECT"], Advertised::Always, true),
    (Extension::ThreadReferences, &["THREAD=REFERENCES"], Advertised::Always, true),
    (Extension::ThreadRefs, &["THREAD=REFS"], Advertised::Always, true),
    (Extension::ListExtended, &["LIST-EXTENDED"], Advertised::Always, true),
    (Extension::ListStatus, &["LIST-STATUS"], Advertised::Always, true),
    (Extension::SpecialUse, &["SPECIAL-USE"], Advertised::Always, true),
    (Extension::CreateSpecialUse, &["CREATE-SPECIAL-USE"], Advertised::Always, true),
    (Extension::Metadata, &["METADATA"], Advertised::Always, true),
    (Extension::ObjectId, &["OBJECTID"], Advertised::Always, true),
    (Extension::SaveDate, &["SAVEDATE"], Advertised::Always, true),
    (Extension::Preview, &["PREVIEW"], Advertised::Always, true),
    (Extension::AppendLimit, &["APPENDLIMIT"], Advertised::Always, true),
    (Extension::CondStore, &["CONDSTORE"], Advertised::Always, true),
    (Extension::QResync, &["QRESYNC"], Advertised::Always, true),
    (Extension::Gmail, &["X-GM-EXT-1"], Advertised::Always, false),
    (Extension::Utf8Accept, &["UTF8=ACCEPT"], Advertised::Always, true),
    (Extension::MultiAppend, &["MULTIAPPEND"], Advertised::Always, true),
    (Extension::Binary, &["BINARY"], Advertised::Always, true),
    (Extension::Replace, &["REPLACE"], Advertised::Always, true),
    (Extension::Notify, &["NOTIFY"], Advertised::Always, true),
];

impl Extension {
    /// Every extension, in the order in which they are advertised.
    pub fn all() -> impl Iterator<Item = Extension> {
        TABLE.iter().map(|(extension, ..)| *extension)
    }

    /// Its capability; of several, the first.
    pub fn name(self) -> &'static str {
        let row = TABLE.iter().find(|(extension, ..)| *extension == self);
        row.map_or("", |(_, names, ..)| names[0])
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Extension {
    type Err = String;

    /// Reads a capability such as `MOVE`, in any case. The error lists the extensions.
    fn from_str(text: &str) -> Result<Extension, String> {
        Extension::all().find(|known| known.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let known: Vec<&str> = Extension::all().map(Extension::name).collect();
            format!("the sandbox has no extension {text:?}; it has {}", known.join(", "))
        })
    }
}

/// What IMAP4rev2 includes, as far as the sandbox has it as an extension (RFC 9051 appendix E).
const IN_REV2: [Extension; 13] = [
    Extension::Enable,
    Extension::Idle,
    Extension::Unselect,
    Extension::UidPlus,
    Extension::Move,
    Extension::Namespace,
    Extension::Children,
    Extension::StatusSize,
    Extension::ESearch,
    Extension::SearchRes,
    Extension::ListExtended,
    Extension::ListStatus,
    Extension::SaslIr,
];

fn is_of_use_before_login(extension: Extension) -> bool {
    matches!(
        extension,
        Extension::Rev2 | Extension::LiteralPlus | Extension::LiteralMinus | Extension::Id
    )
}

/// A set of extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extensions(u64);

impl Default for Extensions {
    /// All but `LITERAL-`, `LOGINDISABLED`, `X-GM-EXT-1` and `IMAP4rev2`.
    fn default() -> Extensions {
        let on = TABLE.iter().filter(|(.., by_default)| *by_default);
        on.fold(Extensions(0), |set, (extension, ..)| set.with(*extension))
    }
}

impl Extensions {
    /// RFC 3501's minimum: no extension but STARTTLS and AUTH=PLAIN, which it requires.
    pub fn none() -> Extensions {
        Extensions(0).with(Extension::StartTls).with(Extension::AuthPlain)
    }

    /// Returns whether an extension is on, with those that it needs.
    pub fn has(self, extension: Extension) -> bool {
        let needs: &[Extension] = match extension {
            Extension::Rev2 => &IN_REV2,
            Extension::Utf8Accept => &[Extension::Enable],
            Extension::QResync => &[Extension::CondStore, Extension::Enable],
            Extension::ListStatus => &[Extension::ListExtended],
            Extension::SearchRes | Extension::Partial => &[Extension::ESearch],
            Extension::SortDisplay => &[Extension::Sort],
            _ => &[],
        };
        let is_on = |extension: Extension| self.0 & (1 << extension as u32) != 0;
        is_on(extension) && needs.iter().all(|needed| is_on(*needed))
    }

    /// The same set with this extension on.
    #[must_use]
    pub fn with(self, extension: Extension) -> Extensions {
        Extensions(self.0 | (1 << extension as u32))
    }

    /// The same set with this extension off.
    #[must_use]
    pub fn without(self, extension: Extension) -> Extensions {
        Extensions(self.0 & !(1 << extension as u32))
    }

    /// Switches an extension on or off.
    pub fn set(&mut self, extension: Extension, on: bool) {
        *self = if on { self.with(extension) } else { self.without(extension) };
    }

    /// The capabilities of a connection in this state (RFC 3501 7.2.1).
    pub(crate) fn capabilities(self, encrypted: bool, authenticated: bool) -> String {
        self.offered(encrypted, authenticated, |_| true)
    }

    /// The capabilities in the greeting: as on other servers, only those that are of use before the
    /// login.
    pub(crate) fn of_greeting(self, encrypted: bool) -> String {
        self.offered(encrypted, false, is_of_use_before_login)
    }

    fn offered(
        self,
        encrypted: bool,
        authenticated: bool,
        is_shown: fn(Extension) -> bool,
    ) -> String {
        let login_disabled = self.has(Extension::LoginDisabled) && !encrypted;
        let mut offered = vec!["IMAP4rev1"];
        for (extension, names, advertised, _) in TABLE {
            let hidden = match extension {
                Extension::LiteralMinus => self.has(Extension::LiteralPlus),
                Extension::AuthPlain => login_disabled,
                _ => false,
            };
            let due = match advertised {
                Advertised::Always => is_shown(*extension),
                Advertised::AfterLogin => authenticated,
                Advertised::BeforeLogin => !authenticated,
                Advertised::BeforeLoginWithoutTls => !authenticated && !encrypted,
            };
            if self.has(*extension) && due && !hidden {
                offered.extend(*names);
            }
        }
        offered.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_has_a_row_and_is_read_by_its_name() {
        let mut rows: Vec<u32> = Extension::all().map(|extension| extension as u32).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..=Extension::Notify as u32).collect::<Vec<_>>()); // the last variant
        for extension in Extension::all() {
            assert_eq!(extension.name().to_lowercase().parse(), Ok(extension));
            assert!(!Extensions::default().without(extension).has(extension));
        }
        assert!("XYZZY".parse::<Extension>().unwrap_err().contains("it has IMAP4rev2, LITERAL+, "));
    }
}
