//! Translates the script's forms to a small Scheme core: lambda, if, let, set!, quote, begin and
//! calls.
//!
//! The host gives [`Expander::expand`] one top-level form at a time. A `Pass` walks the form:
//! special forms emit themselves (see `forms`), macros are expanded until a special form or a call
//! remains, and everything is appended to an [`Output`], which maps the emitted text back to the
//! script. The host compiles the text and answers questions through [`Hooks`].
//!
//! Every name of a script is resolved here. A variable becomes `v12`; a global of the script
//! becomes `u/name`, one of the system `s/name`. So a script may define `first` or `filter` as it
//! likes: the prelude's own functions keep calling `s/first`, and the interpreter's library is out
//! of reach. Globals are called through their name, so that a redefinition reaches its callers; the
//! few primitives in `names::INLINE` are emitted directly as long as the script does not define
//! them.
//!
//! Calls that may fail carry their place: `s/%at` for a top-level form, `s/%enter` for a function
//! body (see `lambda_list`), and `s/%in` … `s/%out` around a call of a library function that needs
//! one.

mod bodies;
mod calls;
mod common;
mod conditions;
mod control;
mod definitions;
mod forms;
mod lambda_list;
mod local_macros;
mod loop_form;
mod loops;
mod matching;
pub(crate) mod names;
mod output;
mod parallel;
mod pass;
mod place_forms;
mod places;
mod plain_loops;
mod quasiquote;
mod scope;
pub(crate) mod several;
mod standard_variables;
mod structures;
mod survey;
mod syntax_rules;
mod template;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, OnceLock};

use super::datum::Datum;
use super::node::{Node, Span};
pub use definitions::{announced, only_defines};
pub use names::{global, native_global, system_global};
pub use output::{Output, Place, locate};
pub use scope::Scope;
use scope::{Mark, Meaning};
pub use survey::{Called, Program, Survey};
use syntax_rules::SyntaxRules;

/// How deep forms may nest after expansion. The interpreter's compiler recurses on the emitted
/// forms.
const DEPTH_LIMIT: usize = 160;
/// How deep the parentheses of the emitted text may nest.
const EMITTED_DEPTH_LIMIT: usize = 700;

/// Room for the names of the language and the application, so that tables need not grow at start.
const NAMES: usize = 1500;

/// The services that the expander needs from the host.
pub trait Hooks {
    /// Returns whether the emitted global has a value already.
    fn is_bound(&mut self, global: &str) -> bool;
    /// Declares the emitted global as an unbound stub, unless it is known already.
    fn declare(&mut self, global: &str, name: &str);
    /// Reports that a definition or an assignment of the script sets this emitted global, which is
    /// declared.
    fn assigned(&mut self, global: &str);
    /// Reports that the emitted text calls `names::VISIBLE_GLOBALS`.
    fn want_globals(&mut self);
    /// Returns an emitted global that holds this constant.
    fn constant(&mut self, datum: &Datum) -> String;
    /// Returns whether numbers and short strings may stand in the emitted text.
    fn writes_constants(&self) -> bool {
        true
    }
    /// Returns whether the emitted global is a function outside the script in which an error may
    /// come from deep within. Calls of such a function are emitted with their place.
    fn needs_place(&mut self, global: &str) -> bool;
    /// Returns a number under which this place of the script can be found again.
    fn place(&mut self, span: Span) -> usize;
    /// Returns the lambda list of a documented word.
    fn signature(&mut self, name: &str) -> Option<String>;
    /// Calls the procedure of a `defmacro`. All text emitted before must have run.
    ///
    /// The error message.
    fn call_macro(&mut self, global: &str, arguments: &[Datum]) -> Result<Datum, String>;
}

/// The error for a form that is not part of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandError {
    /// The message, starting in lower case. It names the form.
    pub message: String,
    /// The form.
    pub span: Span,
}

/// A macro.
pub enum Macro {
    /// Defined by `syntax-rules`.
    Rules(SyntaxRules),
    /// A system macro defined by `syntax-rules`, whose text is parsed at its first use.
    Unread(Unread),
    /// Defined by `defmacro`.
    Procedure {
        /// The emitted global that holds its procedure.
        global: String,
        /// Whether the procedure takes the whole form before its parts (`&whole`).
        takes_whole: bool,
    },
}

/// The text of a system macro.
pub struct Unread {
    text: &'static str,
    rules: OnceLock<Result<SyntaxRules, String>>,
}

impl Unread {
    fn rules(&self) -> Result<&SyntaxRules, &String> {
        let read = || {
            let forms = super::reader::read(self.text).map_err(|error| error.message)?;
            let form = forms.first().ok_or("no form")?;
            let rules = match form.as_list() {
                Some([head, _, rules]) if head.is_named("define-syntax") => rules,
                _ => form,
            };
            SyntaxRules::parse(rules, &Scope::default(), true)
        };
        self.rules.get_or_init(read).as_ref()
    }
}

type Expanded = Result<(), ExpandError>;
type SpecialForm = fn(&mut Pass<'_>, &Node, &Scope, &mut Output) -> Expanded;

static SPECIAL: LazyLock<HashMap<&'static str, SpecialForm>> = LazyLock::new(forms::table);

/// What a top-level form comes to.
pub enum Step {
    /// A `progn`, perhaps after macro expansion; or a form after the definitions of its local
    /// macros.
    Forms(Parts),
    /// The expanded form.
    Emitted(Output),
}

/// The forms of a top-level `progn`. Each is a top-level form: it is expanded once the forms before
/// it have run. So a macro among them is known to the rest.
pub struct Parts {
    /// The forms.
    pub forms: Vec<Node>,
    /// Whether the `progn` is the expansion of a macro.
    pub is_made: bool,
    /// Whether all forms only define functions and macros.
    pub only_defines: bool,
}

/// The state that is kept from form to form: the macros, and which globals the script has defined.
pub struct Expander {
    special: &'static HashMap<&'static str, SpecialForm>,
    macros: HashMap<Arc<str>, Arc<Macro>>,
    system_macros: HashMap<Arc<str>, Arc<Macro>>,
    /// Names of the language that the script has redefined.
    redefined: HashSet<Arc<str>>,
    /// Globals that an already expanded definition sets.
    defined: HashSet<String>,
    /// Names that the system defines: the prelude and the application.
    system: HashSet<Arc<str>>,
    /// The part of `system` that the language itself defines. The language's own text uses these,
    /// even if an application defines the same names.
    language: HashSet<Arc<str>>,
    /// Names that scripts find defined by the language. An application's functions of such a name,
    /// or of one in `language`, are visible to scripts only.
    taken: HashSet<Arc<str>>,
    /// Names that scripts find defined and have not redefined.
    library: HashSet<Arc<str>>,
    /// Functions of scripts that may give several values.
    several: HashSet<Arc<str>>,
    /// How the script's own places are set.
    setters: HashMap<Arc<str>, places::Setter>,
    structures: HashMap<Arc<str>, structures::Structure>,
    /// The names of the procedures of local macros, by their text.
    local_macros: HashMap<String, Arc<str>>,
    /// The definitions of local macros without which the form cannot be expanded.
    wanted: Vec<Node>,
    marks: Vec<Mark>,
    /// How many of the marks may be in texts that stay.
    kept_marks: usize,
    /// Whether a macro that stays after the form was defined, whose text may have marks.
    keeps_marks: bool,
    counter: u32,
    /// Whether `*` as a variable is the prompt's last value.
    pub has_last_value: bool,
    /// Whether the last expanded form only defines functions and macros.
    pub only_defines: bool,
    /// The dynamic variables: those of the system, and those that `defvar` and `defparameter` made.
    dynamic: HashSet<Arc<str>>,
    /// The survey in progress; see [`Expander::survey`].
    survey: Option<Survey>,
}

/// The state of one expansion.
pub(super) struct Pass<'a> {
    memory: &'a mut Expander,
    hooks: &'a mut dyn Hooks,
    /// Whether the text being expanded is part of the system.
    system: bool,
    depth: usize,
    /// The name of the function whose body is being expanded, for messages.
    function: Option<Arc<str>>,
    blocks: Vec<Block>,
    /// The `tagbody`s around the form being expanded, innermost last.
    tagbodies: Vec<control::Tagbody>,
    /// How many calls have been emitted of anything but primitives.
    calls: usize,
    /// Whether the form being expanded is the whole top-level form, perhaps after macro expansion.
    whole: bool,
    /// Set while a function for another engine is examined: the variables that it mentions.
    sent: Option<parallel::Sent>,
    /// The last macro of the language that was expanded and that scripts know by name.
    written_macro: Option<String>,
    /// Whether the form being expanded is a call of `gethash` of which only the first value counts.
    wants_first: bool,
}

/// A block around the form being expanded, which `return-from` may leave.
struct Block {
    name: Arc<str>,
    variable: u32,
    used: bool,
}

impl Default for Expander {
    fn default() -> Self {
        Expander {
            special: &SPECIAL,
            macros: HashMap::new(),
            system_macros: HashMap::with_capacity(256),
            redefined: HashSet::new(),
            defined: HashSet::new(),
            system: HashSet::with_capacity(NAMES),
            language: HashSet::new(),
            taken: HashSet::new(),
            library: HashSet::with_capacity(NAMES),
            several: HashSet::new(),
            setters: HashMap::new(),
            structures: HashMap::new(),
            local_macros: HashMap::new(),
            wanted: Vec::new(),
            marks: Vec::new(),
            kept_marks: 0,
            keeps_marks: false,
            counter: 0,
            has_last_value: false,
            only_defines: false,
            dynamic: names::DYNAMIC.iter().map(|name| (*name).into()).collect(),
            survey: None,
        }
    }
}

impl Expander {
    /// Declares the names that `forms` will define at top level, so that functions may refer to
    /// later definitions. Call it before [`Expander::expand`].
    pub fn announce(&mut self, forms: &[Node], hooks: &mut dyn Hooks) {
        for form in forms {
            announced(form, &mut |name| hooks.declare(&global(name), name));
        }
    }

    /// The first subform that is not part of the language.
    pub fn expand(
        &mut self,
        form: &Node,
        system: bool,
        hooks: &mut dyn Hooks,
    ) -> Result<Output, ExpandError> {
        let marks = self.marks.len();
        self.keeps_marks = false;
        let mut pass = self.pass(system, hooks);
        let expanded = pass.top_level(form);
        self.release_marks(marks);
        expanded
    }

    /// Like [`Expander::expand`], but does not expand the forms of a `progn`. Call
    /// [`Expander::release_marks`] with the earlier [`Expander::marks`] when they are expanded.
    ///
    /// # Errors
    /// As [`Expander::expand`].
    pub fn step(&mut self, form: &Node, hooks: &mut dyn Hooks) -> Result<Step, ExpandError> {
        let marks = self.marks.len();
        self.keeps_marks = false;
        self.wanted.clear();
        let step = self.next_step(form, hooks);
        if step.is_err() && !self.wanted.is_empty() {
            let mut forms = std::mem::take(&mut self.wanted);
            forms.push(form.clone());
            return Ok(Step::Forms(Parts {
                forms,
                is_made: true,
                only_defines: only_defines(form),
            }));
        }
        if !matches!(step, Ok(Step::Forms(_))) {
            self.release_marks(marks);
        }
        step
    }

    fn next_step(&mut self, form: &Node, hooks: &mut dyn Hooks) -> Result<Step, ExpandError> {
        let mut pass = self.pass(false, hooks);
        let expansion = pass.expand_head(form)?;
        let expanded = expansion.as_ref().unwrap_or(form);
        if let Some([head, forms @ ..]) = expanded.as_list()
            && (head.is_named("progn") || head.is_named("begin"))
            && !forms.is_empty()
            && matches!(pass.head(head, &Scope::default()), Head::Special(_))
        {
            return Ok(Step::Forms(Parts {
                forms: forms.to_vec(),
                is_made: expansion.is_some(),
                only_defines: only_defines(expanded),
            }));
        }
        let mut output = pass.top_level(expanded).map_err(|error| pass::named(error, form))?;
        if expansion.is_some() {
            output.mark(0, form.span);
        }
        Ok(Step::Emitted(output))
    }

    /// Like [`Expander::step`], but names the variables as if the form were the first one, so that
    /// forms that differ in their constants only have the same text.
    ///
    /// # Errors
    /// As [`Expander::expand`].
    pub fn step_alone(&mut self, form: &Node, hooks: &mut dyn Hooks) -> Result<Step, ExpandError> {
        let counter = std::mem::take(&mut self.counter);
        let step = self.step(form, hooks);
        self.counter = counter;
        step
    }

    /// Returns how many marks are in use.
    pub fn marks(&self) -> usize {
        self.marks.len()
    }

    /// Forgets all marks but the first ones, and those in the texts of macros that were defined.
    pub fn release_marks(&mut self, count: usize) {
        if self.keeps_marks {
            self.kept_marks = self.marks.len();
        }
        self.marks.truncate(count.max(self.kept_marks));
    }

    fn pass<'a>(&'a mut self, system: bool, hooks: &'a mut dyn Hooks) -> Pass<'a> {
        self.only_defines = false;
        Pass {
            memory: self,
            hooks,
            system,
            depth: 0,
            function: None,
            blocks: Vec::new(),
            tagbodies: Vec::new(),
            calls: 0,
            whole: true,
            sent: None,
            written_macro: None,
            wants_first: false,
        }
    }
    /// Forgets which definitions were expanded, because some of them may not have run.
    pub fn forget_unrun(&mut self) {
        self.defined.clear();
    }

    /// Returns the names of all macros and special forms, for completion; internal ones, which
    /// start with `%`, are left out.
    pub fn macro_names(&self) -> Vec<String> {
        let macros =
            self.macros.keys().chain(self.system_macros.keys()).map(|name| name.to_string());
        macros
            .chain(self.special.keys().map(|name| (*name).to_owned()))
            .filter(|name| !name.starts_with('%'))
            .collect()
    }

    /// Records a name that the host defines for the system.
    pub fn note_system(&mut self, name: &str) {
        self.system.insert(name.into());
    }

    /// Ends the definition of the language: the names defined so far are the language's, later ones
    /// the application's.
    pub fn close_language(&mut self) {
        self.language = self.system.clone();
        self.taken = self.library.clone();
    }

    /// Returns whether the language itself defines a name.
    pub fn is_language(&self, name: &str) -> bool {
        self.language.contains(name) || self.taken.contains(name)
    }

    /// Records that scripts use another definition of a name of the language from now on.
    pub fn redefine(&mut self, name: &str) {
        self.redefined.insert(name.into());
    }

    /// Expands a form of the language's own text, in which only the language's names are the
    /// system's.
    pub fn expand_language(
        &mut self,
        form: &Node,
        hooks: &mut dyn Hooks,
    ) -> Result<Output, ExpandError> {
        std::mem::swap(&mut self.system, &mut self.language);
        let expanded = self.expand(form, true, hooks);
        std::mem::swap(&mut self.system, &mut self.language);
        expanded
    }

    /// Records a name that scripts find defined.
    pub fn note_library(&mut self, name: &str) {
        self.library.insert(name.into());
    }

    /// Returns the names that scripts find defined.
    pub fn library_names(&self) -> Vec<String> {
        self.library.iter().map(|name| name.to_string()).collect()
    }

    /// Makes `name` the same macro as the system macro `target`. Returns whether there is one.
    pub fn alias_macro(&mut self, name: &str, target: &str) -> bool {
        let Some(found) = self.system_macros.get(target).cloned() else { return false };
        self.system_macros.insert(name.into(), found);
        true
    }

    /// Defines a system macro by the text of a `(syntax-rules …)` or of a whole `(define-syntax
    /// …)`.
    pub fn define_system_rules(&mut self, name: &str, text: &'static str) {
        self.system_macros
            .insert(name.into(), Arc::new(Macro::Unread(Unread { text, rules: OnceLock::new() })));
    }

    /// Defines a system macro whose procedure is the emitted `global`.
    pub fn define_procedure_macro(&mut self, name: &str, global: &str) {
        let made = Macro::Procedure { global: global.to_owned(), takes_whole: false };
        self.system_macros.insert(name.into(), Arc::new(made));
    }
}

/// The meaning of the head of a list.
enum Head {
    Special(SpecialForm),
    Macro(Arc<Macro>),
    Other,
}
