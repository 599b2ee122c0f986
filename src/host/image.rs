//! Definitions of the prelude and the application, compiled ahead: `image.txt`.
//!
//! Compiling what a script mentions would be most of its start-up time. So the file holds what the
//! interpreter's compiler makes of each definition that waits (see `on_demand`), and the host loads
//! that instead. A test compiles all definitions, compares, and writes the file. An entry counts
//! only for the text that it was made from, and only if all globals that it mentions are there;
//! otherwise the definition is compiled.
//!
//! An entry is a block of lines, sorted by the first word, the emitted global:
//!
//! ```text
//! s/%example 00c0ffee00c0ffee       the hash of the definition's text
//! g s/%example s/%other #%prim.car  the globals that the instructions mention
//! k "text"                          a constant: the next name of a global
//! c 69.12 70 70 31 26@2           the instructions of a top-level expression
//! ```
//!
//! An instruction is its number in the interpreter's table, the payload after a dot if it is not
//! zero, and the index of the global that it mentions. The interpreter keeps constants in a table,
//! whose order depends on what was compiled before. So the image has none of its instructions that
//! refer to the table: their constants are globals. While an image runs, that table is empty, and a
//! function that was compiled cannot be called. So definitions that call something when they run are
//! not in the image. The numbers of functions are given anew when an entry is loaded.

use std::sync::LazyLock;

use memchr::memmem;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as Unknown, U32Deserializer};
use steel::compiler::code_gen::fresh_function_id;
use steel::core::instructions::{Instruction, u24};
use steel::core::labels::Expr;
use steel::core::opcode::OpCode;
use steel::parser::interner::InternedString;
use steel::parser::parser::SyntaxObject;
use steel::parser::tokens::TokenType;

use crate::lisp::{Datum, reader};

const IMAGE: &str = include_str!("image.txt");

/// What a definition compiles to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Compiled {
    /// The lines of the entry after the first one.
    lines: &'static str,
}

impl Compiled {
    /// Finds what the definition of an emitted global by this text compiles to.
    pub fn find(global: &str, text: &str) -> Option<Compiled> {
        let (hash_word, lines) = entry(global)?.split_once('\n')?;
        (hash_word == hash(text)).then_some(Compiled { lines })
    }

    /// Returns the emitted globals that the instructions mention.
    pub fn globals(&self) -> impl Iterator<Item = &'static str> {
        self.lines_of("g ").flat_map(|line| line.split(' '))
    }

    /// Returns the constants, which need a global each.
    pub fn constants(&self) -> Option<Vec<Datum>> {
        let constant = |text| Some(reader::read(text).ok()?.first()?.datum());
        self.lines_of("k ").map(constant).collect()
    }

    /// Returns the instructions of each top-level expression. `constants` are the globals that hold
    /// the constants.
    pub fn instructions(&self, constants: &[String]) -> Option<Vec<Vec<Instruction>>> {
        let mut globals: Vec<InternedString> = self.globals().map(Into::into).collect();
        globals.extend(constants.iter().map(|global| InternedString::from(global.as_str())));
        self.lines_of("c ").map(|line| expression(line, &globals)).collect()
    }

    fn lines_of(&self, kind: &'static str) -> impl Iterator<Item = &'static str> {
        self.lines.lines().filter_map(move |line| line.strip_prefix(kind))
    }
}

/// Finds the lines after the name of the global.
fn entry(global: &str) -> Option<&'static str> {
    /// The entries, sorted as the file is, by name.
    static ENTRIES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        const END: &str = "\n\n";
        let mut start = 0;
        let ends = memmem::find_iter(IMAGE.as_bytes(), END).filter_map(|end| {
            let entry = IMAGE.get(start..end)?.split_once(' ');
            start = end + END.len();
            entry
        });
        ends.collect()
    });
    let found = ENTRIES.binary_search_by(|(name, _)| (*name).cmp(global)).ok()?;
    Some(ENTRIES[found].1)
}

/// FNV-1a, which stays the same in all versions.
fn hash(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn expression(line: &str, globals: &[InternedString]) -> Option<Vec<Instruction>> {
    let mut instructions: Vec<Instruction> = Vec::with_capacity(line.len() / 4);
    for word in line.split(' ') {
        let (mut numbers, mut at) = ([0_u32; 3], 0);
        for byte in word.bytes() {
            match byte {
                b'.' => at = 1,
                b'@' => at = 2,
                digit => {
                    let digit = u32::from(digit).checked_sub(b'0'.into())?;
                    numbers[at] = numbers[at].checked_mul(10)?.checked_add(digit)?;
                }
            }
        }
        let [code, payload, index] = numbers;
        let code: U32Deserializer<Unknown> = code.into_deserializer();
        let maker = instructions.len().checked_sub(2).map(|at| instructions[at].op_code);
        let payload = match maker {
            Some(code) if makes_function(code) => u24::from_usize(fresh_function_id()),
            _ => u24::from_u32(payload),
        };
        let contents = match at {
            2 => {
                let name = *globals.get(usize::try_from(index).ok()?)?;
                Some(Expr::Atom(SyntaxObject::default(TokenType::Identifier(name))))
            }
            _ => None,
        };
        let code = OpCode::deserialize(code).ok()?;
        instructions.push(Instruction::new_from_parts(code, payload, contents));
    }
    Some(instructions)
}

/// Returns whether the instruction makes a function, whose number is two instructions later.
fn makes_function(code: OpCode) -> bool {
    matches!(code, OpCode::PUREFUNC | OpCode::NEWSCLOSURE)
}

#[cfg(test)]
pub(crate) mod making {
    //! Makes the entries from what the interpreter's compiler emits.

    use super::*;
    use crate::host::Host;
    use crate::host::on_demand::Definition;
    use crate::host::value::{from_datum, to_datum};
    use crate::lisp::printer;
    use std::cell::RefCell;
    use steel::SteelVal;
    use steel::compiler::program::RawProgramWithSymbols;
    use steel::rvals::IntoSteelVal;

    /// Instructions that mention a global.
    const MENTIONING: &[OpCode] = &[
        OpCode::BIND,
        OpCode::PUSH,
        OpCode::SET,
        OpCode::CALLGLOBAL,
        OpCode::CALLGLOBALNOARITY,
        OpCode::CALLGLOBALTAIL,
        OpCode::CALLGLOBALTAILNOARITY,
    ];

    /// Instructions that call nothing, so that they may stand outside of a function.
    const HARMLESS: &[OpCode] = &[
        OpCode::SDEF,
        OpCode::EDEF,
        OpCode::BIND,
        OpCode::VOID,
        OpCode::SET,
        OpCode::PUSH,
        OpCode::PUSHCONST,
        OpCode::PASS,
        OpCode::POPPURE,
        OpCode::POPSINGLE,
        OpCode::TRUE,
        OpCode::FALSE,
        OpCode::LOADINT0,
        OpCode::LOADINT1,
        OpCode::LOADINT2,
    ];

    /// Returns the entry for a compiled definition, or why it cannot be in the image.
    pub fn entry(
        global: &str,
        text: &str,
        mut program: RawProgramWithSymbols,
        constant_of: impl Fn(&str) -> Option<String>,
    ) -> Result<String, String> {
        let expressions = RefCell::new(Vec::new());
        program.with_optimization(|code| expressions.borrow_mut().push(code.to_vec()));
        let mut writer = Writer { constant_of, globals: Vec::new(), constants: Vec::new() };
        let mut lines = Vec::new();
        for code in expressions.into_inner() {
            calls_nothing(&code)?;
            let words: Result<Vec<_>, String> =
                (0..code.len()).map(|at| writer.word(&code, at)).collect();
            lines.push(words?);
        }
        let Writer { globals, constants, .. } = writer;
        let word = |(word, mentioned): &(String, Option<Mentioned>)| match mentioned {
            None => word.clone(),
            Some(Mentioned::Global(index)) => format!("{word}@{index}"),
            Some(Mentioned::Constant(index)) => format!("{word}@{}", globals.len() + index),
        };
        let mut entry = format!("{global} {}\ng", hash(text));
        // The interpreter numbers the functions that it lifts out of others, in no fixed order.
        let mut lifted = 0..;
        for name in &globals {
            match name.starts_with("##").then(|| lifted.next()).flatten() {
                Some(number) => entry.push_str(&format!(" l/{global}/{number}")),
                None => entry.push_str(&format!(" {name}")),
            }
        }
        entry.push('\n');
        constants.iter().for_each(|text| entry.push_str(&format!("k {text}\n")));
        for line in &lines {
            entry.push_str(&format!("c {}\n", line.iter().map(word).collect::<Vec<_>>().join(" ")));
        }
        entry.push('\n');
        Ok(entry)
    }

    fn value_of(literal: &Expr) -> Result<SteelVal, String> {
        let atom = match literal {
            Expr::Atom(atom) => &atom.ty,
            Expr::List(list) => {
                return SteelVal::try_from((**list).clone()).map_err(|error| error.to_string());
            }
        };
        match atom {
            TokenType::BooleanLiteral(truth) => Ok(SteelVal::BoolV(*truth)),
            TokenType::StringLiteral(text) => Ok(SteelVal::StringV(text.to_string().into())),
            TokenType::CharacterLiteral(character) => Ok(SteelVal::CharV(*character)),
            TokenType::Number(number) => {
                number.resolve().into_steelval().map_err(|error| error.to_string())
            }
            other => Err(format!("the constant {other:?}")),
        }
    }

    enum Mentioned {
        Global(usize),
        Constant(usize),
    }

    struct Writer<C> {
        constant_of: C,
        globals: Vec<String>,
        constants: Vec<String>,
    }

    type Word = (String, Option<Mentioned>);

    impl<C: Fn(&str) -> Option<String>> Writer<C> {
        fn word(&mut self, all: &[Instruction], at: usize) -> Result<Word, String> {
            let Instruction { op_code, payload_size, contents } = &all[at];
            let plain = |code: OpCode| (code as usize).to_string();
            match (*op_code, contents) {
                (code, Some(Expr::Atom(atom))) if MENTIONING.contains(&code) => {
                    let TokenType::Identifier(name) = atom.ty else {
                        return Err(format!("{code:?} of {:?}", atom.ty));
                    };
                    Ok((plain(code), Some(self.mention(name.resolve()))))
                }
                (OpCode::PUSHCONST | OpCode::EQUALCONST, Some(literal)) => {
                    let value = value_of(literal)?;
                    let code = match value {
                        SteelVal::BoolV(true) => OpCode::TRUE,
                        SteelVal::BoolV(false) => OpCode::FALSE,
                        SteelVal::IntV(0) => OpCode::LOADINT0,
                        SteelVal::IntV(1) => OpCode::LOADINT1,
                        SteelVal::IntV(2) => OpCode::LOADINT2,
                        value => {
                            let text = printer::readably(&to_datum(&value));
                            return Ok((plain(OpCode::PUSH), Some(self.constant(text))));
                        }
                    };
                    Ok((plain(code), None))
                }
                (
                    code @ (OpCode::PUSHCONST
                    | OpCode::EQUALCONST
                    | OpCode::ADDREGISTER
                    | OpCode::SUBREGISTER
                    | OpCode::LTEREGISTER
                    | OpCode::CALLPRIMITIVE
                    | OpCode::CALLPRIMITIVETAIL),
                    _,
                ) => Err(format!("has {code:?}")),
                (code, _) if at >= 2 && makes_function(all[at - 2].op_code) => {
                    Ok((plain(code), None))
                }
                (code, _) => Ok(match payload_size.to_usize() {
                    0 => (plain(code), None),
                    payload => (format!("{}.{payload}", plain(code)), None),
                }),
            }
        }

        fn mention(&mut self, name: &str) -> Mentioned {
            match (self.constant_of)(name) {
                Some(text) => self.constant(text),
                None => Mentioned::Global(index_in(&mut self.globals, name.to_owned())),
            }
        }

        fn constant(&mut self, text: String) -> Mentioned {
            Mentioned::Constant(index_in(&mut self.constants, text))
        }
    }

    fn index_in(all: &mut Vec<String>, one: String) -> usize {
        all.iter().position(|other| *other == one).unwrap_or_else(|| {
            all.push(one);
            all.len() - 1
        })
    }

    fn calls_nothing(expression: &[Instruction]) -> Result<(), String> {
        let mut depth = 0;
        for instruction in expression {
            match instruction.op_code {
                code if makes_function(code) => depth += 1,
                OpCode::ECLOSURE => depth -= 1,
                code if depth == 0 && !HARMLESS.contains(&code) => {
                    return Err(format!("runs {code:?}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    #[test]
    fn every_entry_is_loaded_as_it_was_made() {
        for block in IMAGE.split_terminator("\n\n") {
            let (head, lines) = block.split_once('\n').unwrap();
            let compiled = Compiled { lines };
            let constants = compiled.constants().unwrap();
            let names: Vec<String> = (0..constants.len()).map(|at| format!("k/{at}")).collect();
            let mut globals: Vec<&str> = compiled.globals().collect();
            globals.extend(names.iter().map(String::as_str));
            let loaded = compiled.instructions(&names).unwrap_or_else(|| panic!("{head}"));
            for (code, line) in loaded.iter().zip(compiled.lines_of("c ")) {
                let words: Vec<String> =
                    (0..code.len()).map(|at| written(code, at, &globals)).collect();
                assert_eq!(words.join(" "), line, "{head}");
            }
            assert_eq!(loaded.len(), compiled.lines_of("c ").count(), "{head}");
            for (text, constant) in compiled.lines_of("k ").zip(&constants) {
                assert_eq!(printer::readably(constant), text, "{head}");
                assert_eq!(to_datum(&from_datum(constant)), *constant, "{head}");
            }
        }
    }

    fn written(code: &[Instruction], at: usize, globals: &[&str]) -> String {
        let Instruction { op_code, payload_size, contents } = &code[at];
        let mut word = (*op_code as usize).to_string();
        let is_number = at >= 2 && makes_function(code[at - 2].op_code);
        if payload_size.to_usize() != 0 && !is_number {
            word.push_str(&format!(".{}", payload_size.to_usize()));
        }
        if let Some(Expr::Atom(atom)) = contents {
            let TokenType::Identifier(name) = atom.ty else { panic!("{atom:?}") };
            let index = globals.iter().position(|global| *global == name.resolve()).unwrap();
            word.push_str(&format!("@{index}"));
        }
        word
    }

    #[test]
    fn an_entry_counts_for_its_text_only() {
        let definition = crate::host::prelude::definitions();
        let raise = definition.iter().find(|definition| definition.name == "%raise").unwrap();
        assert!(Compiled::find("s/%raise", raise.text).is_some());
        assert_eq!(Compiled::find("s/%raise", &raise.text.replace("(%here)", "nil")), None);
        assert_eq!(Compiled::find("s/%rais", raise.text), None);
        assert_eq!(Compiled::find("", ""), None);
        assert_eq!(Compiled::find("z", ""), None);
    }

    #[test]
    fn a_host_does_the_same_with_and_without_the_image() {
        let program = "
            (define-condition shut (error) ((door :initarg :door :reader door))
              (:report (lambda (c port) (format port \"~a is shut\" (door c)))))
            (defun try (door)
              (restart-case (error 'shut :door door)
                (use-value (other) (list :other other))))
            (let ((all '()))
              (dotimes (n 3) (push (handler-bind ((shut (lambda (c) (invoke-restart 'use-value n)))) (try n)) all))
              (list all
                    (handler-case (try :front) (shut (c) (format nil \"~a\" c)))
                    (sort (remove-duplicates (list 3 1 2 3) :test #'=) #'<)
                    (catch 'done (unwind-protect (throw 'done (string-upcase \"abc\")) (push 1 all)))
                    (assoc \"b\" '((\"a\" . 1) (\"b\" . 2)) :test #'equal)
                    (multiple-value-list (floor 7 2))
                    (with-output-to-string (out) (format out \"~5d|~{~a~^, ~}\" 42 '(1 2)))
                    (eval '(mapcar #'1+ '(1 2 3)))
                    (ignore-errors (car 5))))";
        let outcome = |uses_image| {
            let mut host = Host::new(crate::host::Options::default());
            host.engine.uses_image = uses_image;
            let value = host.evaluate(program, "test").map(|value| host.datum(&value));
            let failed = host.evaluate("(defun f (x) (reduce #'+ x))\n(f '(1 a))", "test");
            (value.unwrap(), failed.unwrap_err().to_string())
        };
        assert_eq!(outcome(true), outcome(false));
    }

    impl Host {
        /// Returns which of this host's waiting definitions another one would compile.
        pub(crate) fn definitions_compiled_by(&self, other: &Host) -> Vec<String> {
            let mut compiled: Vec<String> = (self.engine.on_demand.waiting())
                .filter(|(_, definition)| {
                    matches!(definition, Definition::Language(_) | Definition::Form(_))
                })
                .filter(|(global, definition)| other.engine.compiled(global, definition).is_none())
                .map(|(global, _)| global.clone())
                .collect();
            compiled.sort();
            compiled
        }

        /// Returns the entries of all definitions that wait, sorted, and the reason for each that
        /// cannot be in the image.
        pub(crate) fn image(&mut self) -> (String, Vec<String>) {
            let mut waiting: Vec<(String, Definition)> = self
                .engine
                .on_demand
                .waiting()
                .map(|(global, definition)| (global.clone(), definition.clone()))
                .collect();
            waiting.sort_by(|one, other| one.0.cmp(&other.0));
            let (mut image, mut left) = (String::new(), Vec::new());
            for (global, definition) in waiting {
                let text = match &definition {
                    Definition::Language(text) => (*text).to_owned(),
                    Definition::Form(text) => text.clone(),
                    Definition::Alias(_) | Definition::Call(_) => continue,
                };
                match self.entry(&global, &text, &definition) {
                    Ok(entry) => image.push_str(&entry),
                    Err(reason) => left.push(format!("{global} {reason}")),
                }
            }
            (image, left)
        }

        fn entry(
            &mut self,
            global: &str,
            text: &str,
            definition: &Definition,
        ) -> Result<String, String> {
            let expanded = self.expanded(definition).map_err(|report| report.to_string())?;
            let program = self.engine.steel.emit_raw_program_no_path(expanded);
            let constants = self.engine.constants();
            let constant = |name: &str| constants.get(name).map(|text| (*text).to_owned());
            entry(global, text, program.map_err(|error| error.to_string())?, constant)
        }
    }
}
