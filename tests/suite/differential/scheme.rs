//! Generates expressions of Scheme (R7RS, SRFI 1, 8, 11 and 13) that are correct, or nearly so, by
//! the type of their value.
//!
//! Each production calls the productions of its parts with one less `depth`; at depth 0 only
//! literals and variables remain. The same seed always gives the same expressions. Truth is tested
//! only where the value is a boolean or cannot be the empty list, which is false here.

use super::expressions::Random;

/// The type of an expression's value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Integer,
    /// A list of integers.
    List,
    String,
    /// A vector of integers.
    Vector,
}

/// Makes expressions of Scheme.
pub struct Scheme {
    random: Random,
    variables: Vec<(String, Type)>,
    names: usize,
}

impl Scheme {
    pub fn new(seed: u64) -> Scheme {
        Scheme { random: Random::new(seed), variables: Vec::new(), names: 0 }
    }

    /// Returns the next expression.
    pub fn expression(&mut self) -> String {
        self.variables.clear();
        self.names = 0;
        let depth = 1 + self.random.below(3);
        match self.random.below(12) {
            0 => self.number(depth),
            1..=3 => self.list(depth),
            4..=6 => self.string(depth),
            7 => self.truth(depth),
            8 => self.vector(depth),
            _ => self.anything(depth),
        }
    }

    /// Fills a template. Its holes are `$i` for an integer, `$n` number, `$l` list of integers, `$m`
    /// list of at least one integer, `$s` string, `$u` list of strings, `$v` vector of integers, `$c`
    /// character, `$b` boolean, `$a` anything, `$f` function of an integer, `$g` function of two,
    /// `$p` predicate of an integer, `$q` character or predicate of characters, `$k` count below 5,
    /// `$j` count below 3, `$z` integer other than 0, `$t` association list, `$y` symbol. An
    /// upper-case letter stands outside the scope of the variable that the template binds.
    fn fill(&mut self, template: &str, depth: usize) -> String {
        let below = depth.saturating_sub(1);
        let mut filled = String::new();
        let mut rest = template;
        while let Some(at) = rest.find('$') {
            filled.push_str(&rest[..at]);
            let letter = rest.as_bytes()[at + 1];
            let inner = if letter.is_ascii_uppercase() { self.variables.pop() } else { None };
            let part = match letter.to_ascii_lowercase() {
                b'i' => self.integer(below),
                b'n' => self.number(below),
                b'l' => self.list(below),
                b'm' => format!("(cons {} {})", self.integer(below), self.list(below)),
                b's' => self.string(below),
                b'u' => self.strings(below),
                b'v' => self.vector(below),
                b'c' => self.character(),
                b'b' => self.truth(below),
                b'a' => self.anything(below),
                b'f' => self.function(below),
                b'g' => self.random.one(TWO_PLACED).to_owned(),
                b'p' => self.random.one(PREDICATES).to_owned(),
                b'q' => match self.random.below(2) {
                    0 => self.character(),
                    _ => self.random.one(CHARACTER_PREDICATES).to_owned(),
                },
                b'k' => self.random.below(5).to_string(),
                b'j' => self.random.below(3).to_string(),
                b't' => self.random.one(ASSOCIATIONS).to_owned(),
                b'y' => self.random.one(&["'a", "'b", "'c", "'lambda"]).to_owned(),
                b'z' => {
                    let sign = if self.random.below(3) == 0 { "-" } else { "" };
                    format!("{sign}{}", 1 + self.random.below(9))
                }
                other => panic!("${} in {template}", other as char),
            };
            self.variables.extend(inner);
            filled.push_str(&part);
            rest = &rest[at + 2..];
        }
        filled + rest
    }

    /// Fills one of the templates.
    fn pick(&mut self, templates: &[&str], depth: usize) -> String {
        let template = self.random.one(templates);
        self.fill(template, depth)
    }

    /// Returns what `inside` makes with a new variable in scope; `{v}` in it is the variable.
    fn binding(&mut self, of: Type, inside: impl FnOnce(&mut Self) -> String) -> String {
        self.names += 1;
        let names: &[&str] = match of {
            Type::Integer => &["x", "n", "i", "k"],
            Type::List => &["items", "xs", "ys"],
            Type::String => &["text", "name", "s", "line"],
            Type::Vector => &["v", "vec"],
        };
        let name = self.random.one(names).to_owned();
        let shadowed = self.variables.iter().position(|(other, _)| *other == name);
        let hidden = shadowed.map(|at| self.variables.remove(at));
        self.variables.push((name.clone(), of));
        let text = inside(self).replace("{v}", &name);
        self.variables.pop();
        self.variables.extend(hidden);
        text
    }

    /// Puts a `let` around an expression that may use the variable.
    fn bound(&mut self, depth: usize, body: fn(&mut Self, usize) -> String) -> String {
        let (of, value) = match self.random.below(4) {
            0 => (Type::Integer, self.integer(depth - 1)),
            1 => (Type::List, self.list(depth - 1)),
            2 => (Type::Vector, self.vector(depth - 1)),
            _ => (Type::String, self.string(depth - 1)),
        };
        self.binding(of, |this| {
            let body = body(this, depth - 1);
            match this.random.below(4) {
                0 => format!("(let* (({{v}} {value})) {body})"),
                1 => format!("((lambda ({{v}}) {body}) {value})"),
                2 => format!("(let () (define {{v}} {value}) {body})"),
                _ => format!("(let (({{v}} {value})) {body})"),
            }
        })
    }

    fn leaf(&mut self, of: Type) -> String {
        let names: Vec<&String> =
            self.variables.iter().filter(|(_, kind)| *kind == of).map(|(name, _)| name).collect();
        if !names.is_empty() && self.random.below(3) > 0 {
            return names[self.random.below(names.len())].clone();
        }
        match of {
            Type::Integer => match self.random.below(12) {
                0 => self.random.one(&["0", "-1", "100", "1000000", "123456789012"]).to_owned(),
                1 => format!("-{}", self.random.below(20)),
                _ => self.random.below(12).to_string(),
            },
            Type::List => self.random.one(LISTS).to_owned(),
            Type::String => self.random.one(STRINGS).to_owned(),
            Type::Vector => self
                .random
                .one(&["(vector)", "#(1 2 3)", "(vector 3 1 2)", "#(7)", "(make-vector 2 5)"])
                .to_owned(),
        }
    }

    fn character(&mut self) -> String {
        self.random
            .one(&["#\\a", "#\\b", "#\\n", "#\\A", "#\\Z", "#\\5", "#\\space", "#\\,", "#\\e"])
            .to_owned()
    }

    fn function(&mut self, depth: usize) -> String {
        match self.random.below(4) {
            0 => self.random.one(&["1+", "abs", "-", "1-", "square", "+"]).to_owned(),
            _ => self.binding(Type::Integer, |this| {
                let body = this.integer(depth);
                format!("(lambda ({{v}}) {body})")
            }),
        }
    }

    fn integer(&mut self, depth: usize) -> String {
        match (depth, self.random.below(10)) {
            (0, _) | (_, 1) => self.leaf(Type::Integer),
            (_, 0) => self.bound(depth, Self::integer),
            (_, 2 | 3) => {
                self.binding(Type::Integer, |this| this.pick(INTEGERS_WITH_VARIABLE, depth.min(2)))
            }
            _ => self.pick(INTEGERS, depth),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        match (depth, self.random.below(3)) {
            (0, 0) => self.leaf(Type::Integer),
            (0, _) => self
                .random
                .one(&["0.5", "2.5", "-1.5", "3.25", "1/2", "-7/3", "10.0", "0.1", "-0.75"])
                .to_owned(),
            _ => self.pick(NUMBERS, depth),
        }
    }

    fn list(&mut self, depth: usize) -> String {
        match (depth, self.random.below(10)) {
            (0, _) | (_, 1) => self.leaf(Type::List),
            (_, 0) => self.bound(depth, Self::list),
            (_, 2 | 3) => {
                self.binding(Type::Integer, |this| this.pick(LISTS_WITH_VARIABLE, depth.min(2)))
            }
            _ => self.pick(LIST_OPERATIONS, depth),
        }
    }

    fn vector(&mut self, depth: usize) -> String {
        match (depth, self.random.below(8)) {
            (0, _) | (_, 1) => self.leaf(Type::Vector),
            (_, 0) => self.bound(depth, Self::vector),
            _ => self.pick(VECTORS, depth),
        }
    }

    fn string(&mut self, depth: usize) -> String {
        match (depth, self.random.below(10)) {
            (0, _) | (_, 1) => self.leaf(Type::String),
            (_, 0) => self.bound(depth, Self::string),
            _ => self.pick(STRING_OPERATIONS, depth),
        }
    }

    fn strings(&mut self, depth: usize) -> String {
        match self.random.below(3) {
            0 => self.random.one(&["'()", "'(\"a\" \"b\" \"c\")", "'(\"one\")"]).to_owned(),
            1 if depth > 0 => self.fill("(string-tokenize $s)", depth),
            _ if depth > 0 => self.fill("(list $s $s)", depth),
            _ => "(list \"x\" \"\" \"yz\")".to_owned(),
        }
    }

    fn truth(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.random.one(&["#t", "#f", "(= 1 1)", "(< 3 2)"]).to_owned();
        }
        self.pick(TRUTHS, depth)
    }

    fn anything(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.random.below(8) {
                0 => self.leaf(Type::List),
                1 => self.leaf(Type::String),
                2 => self.character(),
                3 => self.random.one(&["'a", "'(a . b)", "'sym", "'(a (b \"c\") #\\d)"]).to_owned(),
                4 => self.random.one(&["(vector 1 2)", "#(1 \"a\" #\\b)", "1/3", "2.5"]).to_owned(),
                _ => self.leaf(Type::Integer),
            };
        }
        match self.random.below(12) {
            0 => self.bound(depth, Self::anything),
            1..=5 => self.pick(CONTROL, depth),
            _ => self.pick(VALUES, depth),
        }
    }
}

#[rustfmt::skip]
const LISTS: &[&str] = &[
    "'()", "'(1 2 3)", "'(3 1 2)", "'(5)", "(list 4 4 2 7)", "'(9 8 7 6 5 4 3)", "(list 1 2 3 2 1)",
    "(iota 5)",
];
#[rustfmt::skip]
const STRINGS: &[&str] = &[
    "\"\"", "\"hello\"", "\"Hello World\"", "\"a,b,,c\"", "\"  padded  \"", "\"banana\"",
    "\"It's 42\"", "\"x\"", "\"Re: Re: lunch\"",
];
#[rustfmt::skip]
const ASSOCIATIONS: &[&str] = &[
    "'((1 . a) (2 . b) (1 . c))", "'((3 . x))", "'()", "(list (cons 2 \"two\") (cons 1 \"one\"))",
];
#[rustfmt::skip]
const PREDICATES: &[&str] = &[
    "even?", "odd?", "positive?", "zero?", "negative?", "(lambda (x) (> x 2))", "integer?",
    "(lambda (e) (memv e '(1 2 3)))",
];
const TWO_PLACED: &[&str] = &["+", "-", "*", "max", "(lambda (a b) (- a (* 2 b)))"];
#[rustfmt::skip]
const CHARACTER_PREDICATES: &[&str] = &[
    "char-alphabetic?", "char-numeric?", "char-whitespace?", "char-upper-case?",
    "(lambda (c) (char=? c #\\a))", "(lambda (c) (char<? c #\\m))",
];

#[rustfmt::skip]
const INTEGERS_WITH_VARIABLE: &[&str] = &[
    "(let loop (({v} $K) (total 0)) (if (= {v} 0) total (loop (- {v} 1) (+ total $i))))",
    "(do (({v} 0 (+ {v} 1)) (p 1 (* p 2))) ((= {v} $k) (+ p {v})))",
    "(let (({v} $I)) (set! {v} (+ {v} $i)) {v})",
    "(letrec ((sum (lambda ({v}) (if (<= {v} 0) 0 (+ {v} (sum (- {v} 1))))))) (sum $K))",
    "(call/cc (lambda (return) (for-each (lambda ({v}) (if (even? {v}) (return {v}))) $L) $I))",
    "(let ((total 0)) (for-each (lambda ({v}) (set! total (+ total $i))) $L) total)",
    "(let ((total 0)) (vector-for-each (lambda ({v}) (set! total (+ total $i))) $V) total)",
    "(fold (lambda ({v} sum) (+ sum $i)) 0 $L)",
    "(receive ({v} rest) (floor/ $I $Z) (+ rest $i))",
    "(let-values (({v} (values $I $I))) (apply + {v}))",
    "(guard ({v} ((integer? {v}) $i)) (raise $I))",
    "(do ((xs $L (cdr xs)) ({v} 0 (+ {v} 1))) ((null? xs) $i))",
];

#[rustfmt::skip]
const INTEGERS: &[&str] = &[
    "(+ $i $i)", "(- $i $i)", "(* $i $i)", "(- $i)", "(max $i $i)", "(min $i $i $i)", "(abs $i)",
    "(modulo $i $z)", "(remainder $i $z)", "(quotient $i $z)", "(floor-quotient $i $z)",
    "(floor-remainder $i $z)", "(truncate-quotient $i $z)", "(truncate-remainder $i $z)",
    "(exact (floor $n))", "(exact (round $n))", "(exact (truncate $n))", "(exact (ceiling $n))",
    "(length $l)", "(string-length $s)", "(vector-length $v)", "(apply + $l)", "(apply max $i $l)",
    "(char->integer $c)", "(if $b $i $i)", "(gcd $i $i)", "(lcm $i $i)", "(expt $z $k)",
    "($f $i)", "($g $i $i)", "(reduce + 0 $l)", "(reduce max $i $l)", "(reduce - 0 $l)",
    "(fold $g $i $l)", "(fold-right $g $i $l)", "(fold + 0 $l $l)", "(reduce-right - 0 $l)",
    "(string-count $s $q)", "(call-with-values (lambda () (exact-integer-sqrt (abs $i))) -)",
    "(call-with-values (lambda () (values $i $i)) $g)", "(car $m)", "(vector-ref #(5 6 7) $k)",
    "(list-ref '(5 6 7) $k)", "(square $i)", "(first $m)", "(cond ($b $i) (else $i))",
    "(case $k ((1) $i) ((2 3) $i) (else $i))", "(begin $i $i)", "(string->number \"42\")",
    "(string-length (number->string $i))", "(force (delay $i))", "(denominator (/ $i $z))",
    "(numerator (/ $i $z))", "(apply $g (list $i $i))", "(string-fold (lambda (c n) (+ n 1)) $i $s)",
    "((case-lambda ((a) $i) ((a b) (- a b)) ((a . more) (length more))) $i $i)",
    "(string-prefix-length $s $s)", "(string-suffix-length $s $s)", "(length+ $l)",
    "(let ((p (make-parameter $i))) (parameterize ((p $i)) (p)))",
];

#[rustfmt::skip]
const NUMBERS: &[&str] = &[
    "$i", "(+ $n $n)", "(- $n $n)", "(/ $n $z)", "(/ $i $z)", "(abs $n)", "(exact->inexact (modulo $i 1000000))",
    "(inexact (/ (modulo $i 1000) $z))", "(exact $n)", "(sqrt (+ 0.5 (abs (modulo $i 1000))))",
    "(if $b $n $n)", "(expt $n 2)", "(min 0.5 1.5 $k.25)", "(max 0.5 1.5)", "(* 1.5 $z)", "(+ $n)", "(*)",
    "(string->number \"1.5\")", "(string->number \"-17/3\")",
    "(string->number \"ff\" 16)", "(string->number \"1e3\")", "(square $n)",
    "(quotient 7.0 $z)", "(modulo -7.0 $z)", "(remainder $i 3.0)", "(atan 0.5)", "(atan $z 2)",
    "(call-with-values (lambda () (floor/ $i $z)) list)",
    "(call-with-values (lambda () (truncate/ $i $z)) list)",
    "(call-with-values (lambda () (floor/ $i 2.0)) list)",
    "(call-with-values (lambda () (exact-integer-sqrt (abs $i))) list)",
    "(exact (/ $n 4))", "(exp 1)", "(log 2)",
];

#[rustfmt::skip]
const LISTS_WITH_VARIABLE: &[&str] = &[
    "(map (lambda ({v}) $i) $L)",
    "(map (lambda ({v} y) (list {v} y)) $L $L)",
    "(map (lambda ({v} y z) (+ {v} y z)) $L $L $L)",
    "(filter-map (lambda ({v}) (and (even? {v}) $i)) $L)",
    "(append-map (lambda ({v}) (list {v} $i)) $L)",
    "(append-map (lambda ({v} y) (list {v} y)) $L $L)",
    "(let loop (({v} $K) (made '())) (if (zero? {v}) made (loop (- {v} 1) (cons $i made))))",
    "(do (({v} 0 (+ {v} 1)) (made '() (cons $i made))) ((>= {v} $k) (reverse made)))",
    "(unfold (lambda ({v}) (> {v} $k)) (lambda ({v}) $i) 1+ 0)",
    "(unfold (lambda ({v}) (> {v} $k)) square 1+ 0 (lambda ({v}) (list {v})))",
    "(unfold-right zero? (lambda ({v}) $i) 1- $K)",
    "(unfold-right zero? square 1- $K $L)",
    "(list-tabulate $K (lambda ({v}) $i))",
    "(fold (lambda ({v} made) (cons $i made)) '() $L)",
    "(fold-right (lambda ({v} made) (cons $i made)) '() $L)",
    "(pair-fold (lambda ({v} made) (cons (length {v}) made)) '() $L)",
    "(pair-fold-right (lambda ({v} made) (cons (length {v}) made)) '() $L)",
    "(let ((made '())) (for-each (lambda ({v} y) (set! made (cons (- {v} y) made))) $L $L) made)",
    "(map-in-order (lambda ({v}) $i) $L)",
    "(let ((made '())) (pair-for-each (lambda ({v}) (set! made (cons (length {v}) made))) $L) made)",
];

#[rustfmt::skip]
const LIST_OPERATIONS: &[&str] = &[
    "(list $i $i $i)", "(cons $i $l)", "(append $l $l)", "(append $l (list $i) $l)", "(append)",
    "(reverse $l)", "(map $f $l)", "(map $g $l $l)", "(filter $p $l)", "(delete $i $l)",
    "(delete 3 $l <)", "(delete! $i $l)", "(list-tail $l $j)", "(take $l $j)", "(drop $l $j)",
    "(take-right $l $j)", "(drop-right $l $j)", "(take-while $p $l)", "(drop-while $p $l)",
    "(take! $l $j)", "(list-head $l $j)", "(list-copy $l)", "(cdr $m)", "(iota $k)", "(iota $k $i)",
    "(iota $k $i $z)", "(make-list $k $i)", "(vector->list $v)", "(vector->list $v $j)",
    "(vector->list #(1 2 3 4) $j $k)", "(concatenate (list $l $l))", "(last-pair $m)",
    "(lset-adjoin = $l $i $i)", "(lset-union = $l $l)", "(lset-intersection = $l $l)",
    "(lset-difference = $l $l)", "(lset-union =)", "(lset-union = $l $l $l)", "(lset-intersection = $l $l $l)",
    "(call-with-values (lambda () (partition $p $l)) append)",
    "(receive (yes no) (partition $p $l) (append no yes))", "(receive all (values $i $i) all)",
    "(cons* $i $i $l)", "(xcons $l $i)", "(unzip1 (zip $l $l))",
    "(apply list $i $l)", "(apply map list (list $l $l))", "(append-reverse $l $l)", "(reverse! $l)",
    "(if $b $l $l)", "`($i ,$i ,@$l)", "(list-tail '(1 2 3) $k)", "(let* ((a $i) (b (+ a 1))) (list b a))",
    "(sort $l <)", "(append! $l $l)", "(delete-duplicates '(1 2 3))", "(map (lambda (c) (char->integer c)) (string->list $s))",
    "(filter! $p $l)", "(drop-right! $l $j)",     "(cond ((memv $i $l) => cdr) (else $l))", "(cond ((assv 2 '((1 5) (2 6 7))) => cdr) (else $l))",
    "(case $i ((1 2 3) => list) (else => (lambda (x) (list x x))))",
];

#[rustfmt::skip]
const VECTORS: &[&str] = &[
    "(vector $i $i)", "(list->vector $l)", "(vector-map $f $v)", "(vector-map $g $v $v)",
    "(vector-append $v $v)", "(vector-append)", "(vector-copy $v)", "(vector-copy $v $j)",
    "(vector-copy #(1 2 3 4) $j $k)", "(make-vector $k $i)",
    "(let ((v (vector 1 2 3))) (vector-set! v $k $i) v)",
    "(let ((v (vector-copy $v))) (vector-fill! v $i) v)",
    "(let ((v (vector 1 2 3 4))) (vector-fill! v $i $j) v)",
    "(let ((v (vector 1 2 3 4))) (vector-fill! v $i $j $k) v)",
    "(let ((v (vector-map $f (vector 1 2)))) (vector-set! v 0 $i) v)",
    "(let ((v (list->vector (list 1 2)))) (vector-set! v 1 $i) v)",
    "(let ((v (vector-append (vector 1) $v))) (vector-set! v 0 $i) v)",
    "(let ((v (make-vector 3 0))) (vector-copy! v 1 (vector $i $i)) v)",
    "(do ((v (make-vector $k 0)) (i 0 (+ i 1))) ((= i (vector-length v)) v) (vector-set! v i (* i i)))",
    "`#(1 ,$i)", "(if $b $v $v)", "(vector-map (lambda (x) (* x x)) $v)",
];

#[rustfmt::skip]
const STRING_OPERATIONS: &[&str] = &[
    "(string-append $s $s)", "(string-append)", "(string-append $s $s $s)", "(substring $s 0 $j)",
    "(substring \"hello\" $j $k)", "(string-copy $s)", "(string-copy $s $j)", "(string-copy \"hello\" $j $k)",
    "(string-upcase $s)", "(string-downcase $s)", "(list->string (string->list $s))",
    "(list->string (reverse (string->list $s)))", "(string-reverse $s)", "(number->string $i)",
    "(symbol->string $y)", "(make-string $k $c)", "(string $c $c)", "(string-join $u)",
    "(string-join $u $s)", "(string-join $u \"-\" 'prefix)", "(string-join $u \"-\" 'suffix)",
    "(string-join $u \", \" 'infix)", "(string-concatenate $u)", "(string-pad $s $k)",
    "(string-pad $s 9)", "(string-pad $s 9 $c)", "(string-pad-right $s $k)", "(string-pad-right $s 9)",
    "(string-pad-right $s 9 $c)", "(string-trim-both $s)", "(string-trim-right $s)",
    "(string-trim-both $s $q)", "(string-trim-right $s $q)", "(string-take $s $j)",
    "(string-drop $s $j)", "(string-take-right $s $j)", "(string-drop-right $s $j)",
    "(string-filter $q $s)", "(string-delete $q $s)", "(string-map char-upcase $s)",
    "(string-map (lambda (a b) (if (char<? a b) a b)) $s $s)", "(string-titlecase \"hello world\")",
    "(if $b $s $s)", "(list->string (vector->list (string->vector $s)))", "(vector->string #(#\\a #\\b))",
    "(vector->string (string->vector $s))",
    "(string-tabulate (lambda (i) (integer->char (+ 97 i))) $k)", "(apply string-append $u)",
    "(let ((port (open-output-string))) (write (cons $c $m) port) (display $s port) (get-output-string port))",
    "(call-with-output-string (lambda (port) (write $s port) (display $i port)))",
    "(call-with-output-string (lambda (port) (write $m port)))",
    "(call-with-output-string (lambda (port) (display (list $s $c $i) port)))",
    "(call-with-output-string (lambda (port) (write (list $s $c 'sym) port)))",
    "(call-with-output-string (lambda (port) (write-string $s port) (write-char $c port) (write $n port)))",
    "(fold-right string-append \"\" $u)", "(fold string-append $s $u)", "(reduce string-append \"\" $u)",
    "(reverse-list->string (string->list $s))", "(string-fold-right (lambda (c s) (string-append s (string c))) \"\" $s)",
    "(string-fold (lambda (c s) (string-append (string c) s)) \"\" $s $j)", "(string-reverse $s $j)",
    "(let ((made '())) (string-for-each (lambda (c) (set! made (cons c made))) $s) (list->string made))",
];

#[rustfmt::skip]
const TRUTHS: &[&str] = &[
    "(= $i $i)", "(< $i $i)", "(> $i $i $i)", "(<= $n $i)", "(>= $n $n)", "(not $b)", "(and $b $b)",
    "(or $b $b)", "(even? $i)", "(odd? $i)", "(zero? $n)", "(positive? $n)", "(negative? $n)",
    "(null? $l)", "(pair? $l)", "(equal? $a $a)", "(equal? $l $l)", "(eqv? $i $i)", "(eq? $y $y)",
    "(string? $a)", "(number? $a)", "(symbol? $a)", "(char? $a)", "(vector? $a)", "(procedure? $f)",
    "(procedure? $a)", "(string=? $s $s)", "(string<? $s $s)", "(string>? $s $s)", "(string<=? $s $s $s)",
    "(string>=? $s $s)", "(string-ci=? $s $s)", "(char=? $c $c)", "(char<? $c $c $c)", "(char>=? $c $c)",
    "(char-alphabetic? $c)", "(char-numeric? $c)", "(char-whitespace? $c)", "(char-upper-case? $c)",
    "(char-lower-case? $c)", "(char-ci=? $c $c)", "(string-null? $s)", "(string-prefix? $s $s)",
    "(string-suffix? $s $s)", "(string-prefix? \"Re\" $s)", "(string-prefix-ci? \"re\" $s)",
    "(string-suffix-ci? \"A\" $s)", "(boolean=? $b $b)", "(symbol=? $y $y)", "(integer? $n)", "(exact-integer? $n)", "(rational? $n)", "(inexact? $n)",
    "(real? $a)", "(exact? $n)", "(boolean? $b)", "(every odd? $m)", "(every even? $l)", "(any even? $l)",
    "(any < $l $l)", "(every <= $l $l)", "(string-any char-numeric? $s)", "(string-every char-alphabetic? $s)",
    "(string-any $c $s)", "(string-every $c $s)", "(lset<= = $l $l)", "(lset= = $l $l)", "(list= = $l $l)",
    "(proper-list? $l)", "(not-pair? $l)", "(equal? $v $v)", "(equal? $s $s)", "(exact-integer? $a)",
    "(eqv? 2 2.0)", "(equal? \"a\" \"a\")", "(eq? '() '())", "(eqv? 100000000000 $i)", "(list? $l)", "(list? '(1 . 2))",
    "(string-contains-ci \"HELLO\" \"ell\")", "(char>? $c $c)", "(char<=? $c $c)", "(string-ci<? $s $s)",
];

#[rustfmt::skip]
const CONTROL: &[&str] = &[
    "(cond ((= $i 1) $a) ($b $a) (else $a))", "(case $k ((0) $a) ((1 2) $a) (else $a))",
    "(case 'b ((a b) $a) (else $a))", "(case $c ((#\\a #\\b) 'early) ((#\\n) 'middle) (else $a))",
    "(if $b $a $a)", "(and $b $a)", "(or $b $a)", "(cond (($f $i) => list) (else 1))",
    "(call/cc (lambda (k) (+ 1 (k $a))))", "(call-with-current-continuation (lambda (k) $a))",
    "(call/cc (lambda (k) (map (lambda (x) (if (> x 2) (k x) x)) $l)))",
    "(call-with-values (lambda () (call/cc (lambda (k) (k $i $a)))) list)",
    "(let ((log '())) (dynamic-wind (lambda () (set! log (cons 'in log))) (lambda () $i) (lambda () (set! log (cons 'out log)))) log)",
    "(let ((log '())) (call/cc (lambda (k) (dynamic-wind (lambda () (set! log (cons 'in log))) (lambda () (k $i)) (lambda () (set! log (cons 'out log)))))) log)",
    "(let ((log '())) (guard (e (#t (set! log (cons e log)))) (dynamic-wind (lambda () #f) (lambda () (raise 'oops)) (lambda () (set! log (cons 'out log))))) log)",
    "(guard (e (#t (list 'caught e))) (raise $a))", "(guard (e ((string? e) $a) ((symbol? e) e)) (raise $y))",
    "(guard (e ((string? e) $a)) (raise $i))", "(guard (e ((assq 'a e) => cdr) ((assq 'b e))) (raise (list (cons $y $i))))",
    "(guard (e (else 'failed)) $a)", "(guard (e ((error-object? e) 'wrong)) (car $i))",
    "(guard (e ((error-object? e) (error-object-message e))) (error \"no\"))",
    "(guard (e ((string? e) e)) (guard (e2 ((number? e2) e2)) (raise $s)))",
    "(guard (e (#t (list 'outer e))) (guard (e2 ((number? e2) (raise (list e2)))) (raise $i)))",
    "(guard (e (#f 1)) $a)", "(guard (e (#t 'zero)) (quotient $i $k))", "(guard (e (#t 'range)) (vector-ref $v $k))",
    "(guard (e (#t 'range)) (string-ref $s $k))", "(guard (e (#t 'range)) (list-tail $l $k))",
    "(with-exception-handler (lambda (e) $k) (lambda () (+ 1 (raise-continuable 'oops))))",
    "(with-exception-handler (lambda (e) (list e $k)) (lambda () (raise-continuable $a)))",
    "(with-exception-handler (lambda (e) 1) (lambda () (raise 'oops)))",
    "(with-exception-handler (lambda (e) 1) (lambda () $a))",
    "(call/cc (lambda (k) (with-exception-handler (lambda (e) (k (list 'caught e))) (lambda () (+ 1 (raise $a))))))",
    "(call/cc (lambda (k) (with-exception-handler (lambda (e) (k 'wrong)) (lambda () (car $i)))))",
    "(with-exception-handler (lambda (e) 10) (lambda () (with-exception-handler (lambda (e) (+ 1 (raise-continuable e))) (lambda () (+ 100 (raise-continuable 'x))))))",
    "(guard (e (#t (list 'caught e))) (with-exception-handler (lambda (e) (raise (list e))) (lambda () (raise-continuable $i))))",
    "(let ((p (make-parameter $i))) (list (p) (parameterize ((p $i)) (p)) (p)))",
    "(let ((p (make-parameter $i list))) (list (p) (parameterize ((p $a)) (p)) (p)))",
    "(let ((p (make-parameter 1)) (q (make-parameter 2))) (parameterize ((p $a) (q $i)) (list (p) (q))))",
    "(let ((p (make-parameter 1))) (guard (e (#t (list (p) e))) (parameterize ((p 2)) (raise (p)))))",
    "(let* ((n $i) (p (delay (begin (set! n (+ n 1)) n)))) (list (force p) (force p)))",
    "(force (make-promise $a))", "(force (delay-force (delay $a)))",
    "(let loop ((i 0)) (if (< i $k) (loop (+ i 1)) (list i $a)))",
    "(do ((i 0 (+ i 1)) (made '() (cons $a made))) ((= i $j) made))",
    "(letrec ((even? (lambda (n) (if (= n 0) #t (odd? (- n 1))))) (odd? (lambda (n) (if (= n 0) #f (even? (- n 1)))))) (even? $k))",
    "(letrec* ((a $i) (b (+ a 1))) (list a b))", "(let () (define (f x) (* x 2)) (define y $i) (f y))",
    "(let () (define-values (a . more) (values $a $i $i)) (list more a))",
    "(let-values (((a b) (values $a $i)) ((c . d) (values $a $i $i))) (list a b c d))",
    "(let*-values (((a b) (values $i $i)) ((c) (values (+ a b)))) (list a b c))",
    "(let ((a 1)) (let-values (((a) (values $i)) ((b) (values a))) (list a b)))",
    "(receive (a . more) (values $a $a $i) (list more a))",
    "((case-lambda ((a) (list 'one a)) ((a b) (list 'two a b)) ((a . r) (list 'many a r))) $a $a)",
    "((case-lambda (() 'none) ((a b . r) (list 'many a r))) $a $a $i)", "((case-lambda ((a) a)) $i $i)",
    "((lambda args args) $a $a)", "((lambda (a . rest) (list rest a)) $a $a)",
    "(let ((f (let ((n $i)) (lambda () (set! n (+ n 1)) n)))) (f) (f))",
    "(let ((list (lambda (a b) (cons b a)))) (list $i $i))", "(let ((f (lambda (x) (* 2 x)))) (map f $l))",
    "(let-syntax ((twice (syntax-rules () ((_ a) (list a a))))) (twice $i))",
    "(let-syntax ((swap (syntax-rules () ((_ a b) (let ((x a)) (set! a b) (set! b x)))))) (let ((x $i) (y $i)) (swap x y) (list x y)))",
    "(let-syntax ((my-or (syntax-rules () ((_) #f) ((_ a) a) ((_ a b ...) (let ((t a)) (if t t (my-or b ...))))))) (let ((t 5)) (my-or #f t)))",
    "(when #t $a)", "(unless #f $a)", "(begin $a $a)", "(let loop ((xs $l) (n 0)) (cond ((null? xs) n) ((even? (car xs)) (loop (cdr xs) (+ n 1))) (else (loop (cdr xs) n))))",
];

#[rustfmt::skip]
const VALUES: &[&str] = &[
    "(call-with-values (lambda () (span $p $l)) list)", "(zip $l $l)", "(zip $l $l $l)",
    "(call-with-values (lambda () (break $p $l)) list)",
    "(call-with-values (lambda () (split-at $l $j)) list)",
    "(call-with-values (lambda () (partition $p $l)) list)",
    "(call-with-values (lambda () (unzip2 (zip $l $l))) list)",
    "(call-with-values (lambda () (car+cdr $m)) list)", "(map list $l $l $l)",
    "(assq 'b '((a 1) (b 2)))", "(assv $i $t)", "(assoc $i $t)", "(assoc 2.0 $t =)", "(alist-delete $k $t)",
    "(alist-delete 2 $t <)", "(alist-cons $i $a $t)", "(alist-copy $t)", "(assv-ref $t $k)", "(assoc $s '((\"x\" . 1) (\"hello\" . 2)))",
    "(memq $y '(a b c))", "(member $s '(\"x\" \"hello\"))", "(member (list $i) '((1) (2) (3)))",
    "(find-tail $p $l)", "(list-index $p $l)", "(list-index = $l $l)", "(any $p $l)", "(any (lambda (x) (and (> x 2) (* x x))) $l)",
    "(string-index $s $q)", "(string-index $s $c $j)", "(string-rindex $s $q)", "(string-index-right $s $c)",
    "(string-skip $s $q)", "(string-skip-right $s $q)", "(string-contains $s $s)", "(string-contains $s \"a\")", "(string-contains \"banana\" \"an\" $k)",
    "(string-contains $s \"\")", "(string-any (lambda (c) (and (char-numeric? c) (char->integer c))) $s)",
    "(string-tokenize $s)", "(string-split $s #\\,)", "(string->list $s)", "(string->list $s $j)",
    "(string->list \"hello\" $j $k)", "(string->vector $s)", "(string-ref \"hello\" $k)", "(string->symbol \"abc\")",
    "(char-upcase $c)", "(char-downcase $c)", "(integer->char (+ 97 $k))", "(digit-value $c)", "(string->number $s)",
    "(vector $a $i)", "(vector-ref (vector 1 $a 3) $j)", "(vector->list (vector $a $a))", "(list->vector (list $a $i))",
    "(cons $a $a)", "(list $a $a)", "`(,@$l . $k)", "(memv $i $l)", "(member $i $l)", "(member 2.0 $l =)", "`($k (a ,$i) . b)", "`(1 ,@(list $a $i) ,$a)", "`#(1 ,$a ,@(list $i))", "(list 'quote $y)",
    "(car (list $a))", "(cadr (list 1 $a))", "(cddr (list 1 2 $a))", "(caddr (list 1 2 $a))", "(list-ref (list $a $i) 0)",
    "(second (list $a $a))", "(fifth '(1 2 3 4 5))",
    "(apply $g $i (list $i))", "(apply + $i $l)", "(apply apply (list + (list 1 $i)))", "(map list $l $l)", "(map (lambda (x) $a) '(1 2))",
    "(call-with-values (lambda () (values)) list)", "(call-with-values (lambda () $a) list)", "(call-with-values (lambda () (values $a $a)) cons)",
    "(append '(1) $i)", "(append '(1) '(2 . 3))", "(list-copy (list $a))", "(reverse (list $a $i))", "(length (list $a $a))",
    "(let ((port (open-output-string))) (write $y port) (get-output-string port))",
    "(vector-map (lambda (x) (list x $i)) $v)",
    "(filter (lambda (x) (not (= x 2))) $l)", "(fold cons* '() '(a b c) $l)", "(fold-right cons* '() '(a b c) (list $i $i $i))", "(fold-right list $a $l)", "(fold cons '() (list $a $a))",
    "(+ $i $a)", "(car $i)", "(vector-ref $v $k)", "(string-append $s $a)", "(string-length $a)", "(symbol->string $a)", "(string-ref $s $k)",
    "(string-index $a #\\a)", "(string-upcase $i)", "(char-upcase $s)", "(vector-length $l)", "(string->number $i)", "(list->string $l)", "($i $i)", "(abs $s)",
    "(string-pad $i 3)", "(string-join $i)", "(string-null? $i)", "(take $l $k)", "(drop $l $k)", "(string-take $s $k)", "(list-ref $l $k)",
    "(string<? $s $i)", "(char<? $c $i)", "(substring $s $k)", "(substring $s $j $k)", "(vector-fill! $i 1)", "(length $i)", "(length '(1 2 . 3))", "(apply + 1)",
    "(exact->inexact $i)", "(number->string $n)", "(number->string $i 16)", "(number->string $i 2)", "(sort (lset-xor = $l $l) <)", "(concatenate (list (list $a) $l))",
    "(char->integer (string-ref $s 0))", "(string #\\a $c)", "(string-copy $s $k)", "(call-with-output-string (lambda (p) (display (list $i $s $y (cons $c $i)) p)))", "(call-with-output-string (lambda (p) (write (vector $i $s $y $n) p)))",
    "(call-with-output-string (lambda (p) (display $n p)))",
];
