//! Checks of the Lisp reader, printer and expander.

use postoffice::lisp::expander::{Expander, Hooks};
use postoffice::lisp::printer::readably;
use postoffice::lisp::{
    Completeness, Datum, Kind, Node, ReadErrorKind, Span, completeness, read, read_data,
};

/// Any text is read, or refused with a place in it. Spans of forms are in order; printed data reads
/// back; the prompt never rejects text that the next line completes.
pub fn reader(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let check_span =
        |span: Span| assert!(text.get(span.start..span.end).is_some(), "{span:?} is no place");
    match read(text) {
        Ok(forms) => {
            in_order(&forms, Span::new(0, text.len()), &check_span);
            for (end, _) in text.match_indices('\n') {
                assert!(
                    !matches!(completeness(&text[..end]), Completeness::Malformed(_)),
                    "{:?} is refused too early",
                    &text[..end]
                );
            }
        }
        Err(error) => {
            check_span(error.span);
            if error.kind == ReadErrorKind::Malformed {
                for rest in ["\n", "\na", "\n)", "\n\"", "\n|#", "\n|"] {
                    let longer = read(&format!("{text}{rest}"));
                    let is_as_wrong = longer.is_err_and(|longer| {
                        longer.kind == error.kind && longer.span.start == error.span.start
                    });
                    assert!(is_as_wrong, "{error:?} is not so with {rest:?} behind");
                }
            }
        }
    }
    if let Ok(data) = read_data(text) {
        let printed = print(&data);
        let again = read_data(&printed).unwrap_or_else(|error| panic!("{printed:?}: {error}"));
        assert_eq!(print(&again), printed);
        assert!(
            has_nan(&printed) || again == data,
            "{data:?} printed as {printed:?} reads as {again:?}"
        );
    }
}

fn print(data: &[Datum]) -> String {
    data.iter().map(readably).collect::<Vec<_>>().join(" ")
}

/// Returns whether the data contains NaN, which equals nothing.
fn has_nan(printed: &str) -> bool {
    printed.contains("nan.0")
}

fn in_order(nodes: &[Node], within: Span, check_span: &dyn Fn(Span)) {
    let mut before = within.start;
    for node in nodes {
        check_span(node.span);
        assert!(
            before <= node.span.start && node.span.end <= within.end,
            "{:?} is not within {within:?}",
            node.span
        );
        before = node.span.end;
        match &node.kind {
            // `'x` stands for `(quote x)` and `(a . (b))` for `(a b)`, so not every element of a
            // list has a span of its own in it.
            Kind::Vector(nodes) => in_order(nodes, node.span, check_span),
            Kind::List(nodes) | Kind::Dotted(nodes, _) => {
                nodes.iter().for_each(|node| check_span(node.span))
            }
            _ => {}
        }
    }
}

/// A host without any definitions.
#[derive(Default)]
struct NoHost {
    constants: usize,
    places: Vec<Span>,
}

impl Hooks for NoHost {
    fn is_bound(&mut self, _: &str) -> bool {
        false
    }

    fn declare(&mut self, _: &str, _: &str) {}

    fn assigned(&mut self, _: &str) {}

    fn want_globals(&mut self) {}

    fn constant(&mut self, _: &Datum) -> String {
        self.constants += 1;
        format!("k/{}", self.constants)
    }

    fn needs_place(&mut self, _: &str) -> bool {
        true
    }

    fn place(&mut self, span: Span) -> usize {
        self.places.push(span);
        self.places.len() - 1
    }

    fn signature(&mut self, _: &str) -> Option<String> {
        None
    }

    fn call_macro(&mut self, _: &str, arguments: &[Datum]) -> Result<Datum, String> {
        arguments.first().cloned().ok_or_else(|| "no argument".to_owned())
    }
}

/// Every form expands to one form with places in the script, or is refused with such a place.
pub fn expander(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let Ok(forms) = read(text) else { return };
    let (mut expander, mut host) = (Expander::default(), NoHost::default());
    let is_place = |span: Span| text.get(span.start..span.end).is_some();
    expander.announce(&forms, &mut host);
    for form in &forms {
        match expander.expand(form, false, &mut host) {
            Ok(output) => {
                // Names with the interpreter's own prefix are not in the language.
                let emitted = read(&output.text.replace("#%prim.", "prim."))
                    .unwrap_or_else(|error| panic!("{}: {error}", output.text));
                assert_eq!(emitted.len(), 1, "not one form: {}", output.text);
                for place in &output.places {
                    assert!(
                        place.start <= place.end
                            && place.end <= output.text.len()
                            && is_place(place.span),
                        "{place:?}"
                    );
                }
            }
            Err(error) => assert!(is_place(error.span) && !error.message.is_empty(), "{error:?}"),
        }
    }
    assert!(host.places.into_iter().all(is_place));
}
