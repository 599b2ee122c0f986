//! Generates expressions of Common Lisp that are correct, or nearly so, by the type of their value.
//!
//! Each production calls the productions of its parts with one less `depth`; at depth 0 only
//! literals and variables remain. Variables are in scope by their type. The same seed always gives
//! the same expressions.

/// A generator of pseudo-random numbers (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

/// The type of an expression's value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Integer,
    /// A list of integers.
    List,
    String,
}

/// Makes expressions of Common Lisp.
pub struct CommonLisp {
    random: Random,
    variables: Vec<(String, Type)>,
    names: usize,
}

impl CommonLisp {
    pub fn new(seed: u64) -> CommonLisp {
        CommonLisp { random: Random::new(seed), variables: Vec::new(), names: 0 }
    }

    /// Returns the next expression.
    pub fn expression(&mut self) -> String {
        self.variables.clear();
        self.names = 0;
        let depth = 1 + self.random.below(3);
        match self.random.below(12) {
            0 | 1 => self.number(depth),
            2..=4 => self.list(depth),
            5 | 6 => self.string(depth),
            7 => self.truth(depth),
            8 => self.format(depth),
            _ => self.anything(depth),
        }
    }

    /// Fills a template with plain values.
    pub fn filled(&mut self, template: &str) -> String {
        self.variables.clear();
        self.fill(template, 1)
    }

    /// Fills a template. Its holes are `$i` for an integer, `$n` number, `$l` list of integers, `$s`
    /// string, `$c` character, `$b` truth value, `$a` anything, `$f` function of an integer, `$p`
    /// predicate, `$k` count below 5, `$z` integer other than 0, `$$` dollar sign. An upper-case letter
    /// stands outside the scope of the variable that the template binds.
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
                b's' => self.string(below),
                b'c' => self.character(),
                b'b' => self.truth(below),
                b'a' => self.anything(below),
                b'f' => self.function(below),
                b'p' => self.predicate(),
                b'$' => "$".to_owned(),
                b'k' => self.random.below(5).to_string(),
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

    fn variable(&mut self, of: Type) -> Option<String> {
        let names: Vec<&String> =
            self.variables.iter().filter(|(_, kind)| *kind == of).map(|(name, _)| name).collect();
        (!names.is_empty()).then(|| names[self.random.below(names.len())].clone())
    }

    /// Returns what `inside` makes with a new variable in scope; `{v}` in it is the variable. Some
    /// variables have the names of functions, which they must not hide.
    fn binding(&mut self, of: Type, inside: impl FnOnce(&mut Self) -> String) -> String {
        self.names += 1;
        let names: &[&str] = match of {
            Type::Integer => &["x", "n", "count", "i", "k"],
            Type::List => &["items", "list", "rest", "xs", "position"],
            Type::String => &["text", "string", "name", "s", "line"],
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

    fn leaf(&mut self, of: Type) -> String {
        if self.random.below(3) > 0
            && let Some(name) = self.variable(of)
        {
            return name;
        }
        match of {
            Type::Integer => match self.random.below(12) {
                0 => self.random.one(&["0", "-1", "100", "1000000", "123456789012"]).to_owned(),
                1 => format!("-{}", self.random.below(20)),
                _ => self.random.below(12).to_string(),
            },
            Type::List => self
                .random
                .one(&[
                    "nil",
                    "'(1 2 3)",
                    "'(3 1 2)",
                    "'(5)",
                    "(list 4 4 2 7)",
                    "'(9 8 7 6 5 4 3)",
                    "(list 1 2 3 2 1)",
                    "'()",
                ])
                .to_owned(),
            Type::String => self
                .random
                .one(&[
                    "\"\"",
                    "\"hello\"",
                    "\"Hello World\"",
                    "\"a,b,,c\"",
                    "\"  padded  \"",
                    "\"banana\"",
                    "\"It's 42\"",
                    "\"x\"",
                    "\"Re: Re: lunch\"",
                ])
                .to_owned(),
        }
    }

    fn character(&mut self) -> String {
        self.random
            .one(&["#\\a", "#\\b", "#\\n", "#\\A", "#\\Z", "#\\5", "#\\Space", "#\\,"])
            .to_owned()
    }

    fn predicate(&mut self) -> String {
        self.random
            .one(&[
                "#'evenp",
                "#'oddp",
                "#'plusp",
                "#'zerop",
                "#'minusp",
                "(lambda (x) (> x 2))",
                "'evenp",
                "(lambda (e) (member e '(1 2 3)))",
                "#'integerp",
            ])
            .to_owned()
    }

    fn function(&mut self, depth: usize) -> String {
        match self.random.below(4) {
            0 => self.random.one(&["#'1+", "#'abs", "#'-", "#'1-", "#'identity"]).to_owned(),
            _ => self.binding(Type::Integer, |this| {
                let body = this.integer(depth);
                format!("(lambda ({{v}}) {body})")
            }),
        }
    }

    fn integer(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf(Type::Integer);
        }
        match self.random.below(10) {
            0 => self.bound(depth, Self::integer),
            1 => self.leaf(Type::Integer),
            2 => self.binding(Type::Integer, |this| {
                this.pick(
                    &[
                        "(loop for {v} from $k to $I sum {v})",
                        "(loop for {v} from 1 to 5 sum $i)",
                        "(loop for {v} below $k sum (* {v} $i))",
                        "(loop for {v} in $L count (oddp {v}))",
                        "(loop for {v} in (list 1 2 3) when (oddp {v}) sum $i)",
                        "(let ((sum 0)) (dolist ({v} $L sum) (incf sum {v})))",
                        "(let ((sum 0)) (dotimes ({v} $k) (incf sum (+ {v} 1))) sum)",
                        "(let (({v} $I)) (incf {v} $i) {v})",
                        "(let (({v} $I)) (decf {v}) (setq {v} (* 2 {v})) {v})",
                        "(do (({v} 0 (1+ {v})) (p 1 (* p 2))) ((= {v} $k) p))",
                    ],
                    depth.min(2),
                )
            }),
            _ => self.pick(
                &[
                    "(+ $i $i)",
                    "(- $i $i)",
                    "(* $i $i)",
                    "(- $i)",
                    "(1+ $i)",
                    "(1- $i)",
                    "(max $i $i)",
                    "(min $i $i $i)",
                    "(abs $i)",
                    "(mod $i $z)",
                    "(rem $i $z)",
                    "(floor $i $z)",
                    "(ceiling $i $z)",
                    "(truncate $i $z)",
                    "(round $i $z)",
                    "(round $n)",
                    "(floor $n)",
                    "(truncate $n)",
                    "(length $l)",
                    "(length $s)",
                    "(count $i $l)",
                    "(count-if $p $l)",
                    "(count $c $s)",
                    "(reduce #'+ $l)",
                    "(reduce #'max $l :initial-value $i)",
                    "(reduce #'- $l :initial-value $i :from-end t)",
                    "(apply #'+ $l)",
                    "(apply #'max $i $l)",
                    "(char-code $c)",
                    "(if $b $i $i)",
                    "(gcd $i $i)",
                    "(lcm $i $i)",
                    "(expt $z $k)",
                    "(funcall $f $i)",
                    "(multiple-value-bind (q r) (floor $i $z) (+ (* 10 q) r))",
                    "(parse-integer \"42\")",
                    "(parse-integer \"a17b\" :start 1 :junk-allowed t)",
                    "(length (format nil \"~a\" $i))",
                    "(signum $i)",
                    "(logand $i $i)",
                    "(ash $i $k)",
                    "(isqrt (abs $i))",
                    "(nth-value 1 (floor $i $z))",
                    "(first (list $i $i))",
                    "(car (last (list 1 $i)))",
                    "(cond ($b $i) (t $i))",
                    "(case $i (1 $i) ((2 3) $i) (otherwise $i))",
                    "(prog1 $i $i)",
                    "(progn $i $i)",
                    "(block nil (return $i))",
                    "(catch 'done (throw 'done $i))",
                ],
                depth,
            ),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.random.below(3) {
                0 => self
                    .random
                    .one(&["0.5", "2.5", "-1.5", "3.25", "1/2", "-7/3", "10.0", "0.1", "-0.75"])
                    .to_owned(),
                _ => self.leaf(Type::Integer),
            };
        }
        self.pick(
            &[
                "$i",
                "(+ $n $n)",
                "(- $n $n)",
                "(* $n $n)",
                "(/ $n $z)",
                "(/ $i $z)",
                "(max $n $n)",
                "(abs $n)",
                "(1+ $n)",
                "(float (mod $i 1000000))",
                "(sqrt (+ 0.5 (mod (abs $n) 1000)))",
                "(floor $n $z)",
                "(ffloor $n)",
                "(mod $n $z)",
                "(rem $n $z)",
                "(numerator (/ $i $z))",
                "(multiple-value-list (floor $n $z))",
                "(multiple-value-list (round $n))",
                "(multiple-value-list (truncate $n $z))",
                "(multiple-value-list (ceiling $n))",
                "(if $b $n $n)",
                "(expt $n 2)",
                "(min $n $i)",
                "(+ $n)",
                "(*)",
                "(/ $z)",
            ],
            depth,
        )
    }

    fn list(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf(Type::List);
        }
        match self.random.below(12) {
            0 => self.bound(depth, Self::list),
            1..=3 => self.binding(Type::Integer, |this| {
                this.pick(
                    &[
                        "(loop for {v} in $L collect $i)",
                        "(loop for {v} in $L when (evenp {v}) collect {v})",
                        "(loop for {v} in $L unless (> {v} 3) collect $i)",
                        "(loop for {v} from $k to 6 collect {v})",
                        "(loop for {v} from 10 downto $k by 2 collect {v})",
                        "(loop for {v} below $k collect $i)",
                        "(loop for {v} in $L for j from 0 collect (list j {v}))",
                        "(loop for {v} in $L while (< {v} 5) collect {v})",
                        "(loop for {v} in $L until (= {v} 2) collect $i)",
                        "(loop repeat $k collect $I)",
                        "(loop for {v} in $L append (list {v} $i))",
                        "(loop for {v} on $L collect (length {v}))",
                        "(loop for {v} across (vector 1 $I 3) collect {v})",
                        "(loop for ({v} b) in '((1 2) (3 4)) collect (+ {v} b))",
                        "(loop for ({v} . b) in '((1 . 2) (3 . 4)) collect (* {v} b))",
                        "(loop with {v} = $I for j in $L collect (+ j {v}))",
                        "(loop for {v} = $I then (1+ {v}) repeat 3 collect {v})",
                        "(loop for {v} in $L if (oddp {v}) collect {v} into a else collect $i into b finally (return (list a b)))",
                        "(loop for c across $S for {v} from 0 when (char= c #\\a) collect {v})",
                        "(let ((r nil)) (dolist ({v} $L) (push $i r)) (nreverse r))",
                        "(let ((r (list))) (dotimes ({v} $k (reverse r)) (push (* {v} {v}) r)))",
                        "(mapcar (lambda ({v}) $i) $L)",
                        "(mapcar (lambda ({v} y) (list {v} y)) $L $L)",
                        "(mapcan (lambda ({v}) (if (oddp {v}) (list {v} $i) nil)) $L)",
                        "(do (({v} 0 (1+ {v})) (r nil (cons {v} r))) ((>= {v} $k) r))",
                    ],
                    depth.min(2),
                )
            }),
            4 => self.leaf(Type::List),
            _ => self.pick(
                &[
                    "(list $i $i $i)",
                    "(cons $i $l)",
                    "(append $l $l)",
                    "(append $l (list $i) $l)",
                    "(reverse $l)",
                    "(mapcar $f $l)",
                    "(remove-if $p $l)",
                    "(remove-if-not $p $l)",
                    "(remove $i $l)",
                    "(remove $i $l :count 1)",
                    "(delete 2 (list 1 2 3 2))",
                    "(sort (copy-list $l) #'<)",
                    "(sort (list $i $i $i) #'>)",
                    "(sort (copy-list $l) #'< :key #'abs)",
                    "(stable-sort (copy-list $l) #'< :key (lambda (x) (mod x 3)))",
                    "(cdr $l)",
                    "(rest $l)",
                    "(nthcdr $k $l)",
                    "(butlast $l)",
                    "(butlast $l $k)",
                    "(last $l)",
                    "(last $l 2)",
                    "(remove-duplicates $l)",
                    "(remove-duplicates $l :from-end t)",
                    "(remove-duplicates $l :key #'evenp)",
                    "(sort (remove-duplicates (union $l $l)) #'<)",
                    "(sort (remove-duplicates (intersection $l $l)) #'<)",
                    "(sort (remove-duplicates (set-difference $l $l)) #'<)",
                    "(member $i $l)",
                    "(member-if $p $l)",
                    "(substitute $i 2 $l)",
                    "(substitute-if $i $p $l)",
                    "(list* $i $i $l)",
                    "(make-list $k :initial-element $i)",
                    "(adjoin $i $l)",
                    "(subseq $l 0)",
                    "(subseq (list 1 2 3 4 5) $k)",
                    "(subseq (list 1 2 3 4 5) 1 $k)",
                    "(concatenate 'list $l $l)",
                    "(map 'list $f $l)",
                    "(coerce (vector $i $i) 'list)",
                    "(merge 'list (sort (copy-list $l) #'<) (list 1 5 9) #'<)",
                    "(maplist #'length $l)",
                    "(multiple-value-list (floor $i $z))",
                    "(multiple-value-list (truncate $i $z))",
                    "`(1 ,$i ,@$l)",
                    "(if $b $l $l)",
                    "(let ((l (list 1 2 3))) (push $i l) (pop l) l)",
                    "(let ((l (list 1 2))) (pushnew $i l) l)",
                    "(flet ((f (a &optional (b $i)) (list a b))) (append (f 1) (f 2 3)))",
                    "(flet ((f (a &key (b $i) c) (list a b c))) (f $i :c 2))",
                    "(flet ((f (a &rest more) (list a more))) (f 1 2 $i))",
                    "(labels ((f (n) (if (<= n 0) nil (cons n (f (1- n)))))) (f $k))",
                    "(destructuring-bind (a (b c) &rest d) '(1 (2 3) 4 5) (append d (list c b a $i)))",
                    "(destructuring-bind (a &optional (b $i)) (list $i) (list a b))",
                    "(destructuring-bind (&key a (b 2)) (list :a $i) (list a b))",
                    "(multiple-value-list (values $i $l))",
                    "(nreverse (list $i $i))",
                    "(getf (list :a $l :b 2) :a)",
                    "(apply #'list $i $l)",
                    "(reduce #'cons $l :from-end t :initial-value nil)",
                ],
                depth,
            ),
        }
    }

    fn string(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf(Type::String);
        }
        if self.random.below(8) == 0 {
            return self.bound(depth, Self::string);
        }
        self.pick(
            &[
                "(concatenate 'string $s $s)",
                "(string-upcase $s)",
                "(string-downcase $s)",
                "(string-capitalize $s)",
                "(reverse $s)",
                "(string-trim \" \" $s)",
                "(string-trim \"hx\" $s)",
                "(string-left-trim \" H\" $s)",
                "(string-right-trim '(#\\Space #\\a) $s)",
                "(subseq $s 0)",
                "(subseq \"abcdef\" $k)",
                "(subseq \"abcdef\" 1 (1+ $k))",
                "(princ-to-string $a)",
                "(prin1-to-string $a)",
                "(princ-to-string $n)",
                "(string $c)",
                "(string $s)",
                "(remove $c $s)",
                "(remove-if #'upper-case-p $s)",
                "(substitute #\\- $c $s)",
                "(write-to-string $i)",
                "(with-output-to-string (o) (princ $i o) (write-string $s o))",
                "(with-output-to-string (o) (format o \"~a-~s\" $s $s) (terpri o))",
                "(coerce (list $c $c) 'string)",
                "(map 'string #'char-upcase $s)",
                "(make-string $k :initial-element $c)",
                "(if $b $s $s)",
                "(sort (copy-seq $s) #'char<)",
                "(remove-duplicates $s)",
                "(substitute-if #\\* #'digit-char-p $s)",
                "(concatenate 'string (list $c) $s)",
                "(subseq $s (or (position #\\Space $s) 0))",
                "(nstring-upcase (copy-seq $s))",
                "(string-upcase $s :end (min 1 (length $s)))",
            ],
            depth,
        )
    }

    fn truth(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.random.one(&["t", "nil"]).to_owned();
        }
        self.pick(
            &[
                "(< $i $i)",
                "(<= $i $i $i)",
                "(> $n $n)",
                "(>= $n $i)",
                "(= $i $i)",
                "(/= $i $i $i)",
                "(null $l)",
                "(consp $l)",
                "(listp $a)",
                "(atom $a)",
                "(equal $l $l)",
                "(equal $s $s)",
                "(equal $a $a)",
                "(eql $i $i)",
                "(eql $n $n)",
                "(equalp $s $s)",
                "(equalp $n $n)",
                "(eq 'a 'a)",
                "(string= $s $s)",
                "(string-equal $s $s)",
                "(evenp $i)",
                "(oddp $i)",
                "(zerop $n)",
                "(plusp $n)",
                "(minusp $i)",
                "(every $p $l)",
                "(not $b)",
                "(not $a)",
                "(and $b $b)",
                "(or $b $b)",
                "(symbolp $a)",
                "(stringp $a)",
                "(numberp $a)",
                "(integerp $n)",
                "(floatp $n)",
                "(rationalp $n)",
                "(realp $a)",
                "(characterp $a)",
                "(keywordp $a)",
                "(vectorp $a)",
                "(typep $a 'integer)",
                "(typep $a 'string)",
                "(typep $a 'list)",
                "(subsetp $l $l)",
                "(char= $c $c)",
                "(char< $c $c)",
                "(char-equal $c $c)",
                "(alpha-char-p $c)",
                "(upper-case-p $c)",
                "(alphanumericp $c)",
                "(endp $l)",
                "(null (member $i $l))",
                "(functionp #'car)",
            ],
            depth,
        )
    }

    fn format(&mut self, depth: usize) -> String {
        self.pick(
            &[
                "(format nil \"~a ~s\" $a $a)",
                "(format nil \"~a\" $n)",
                "(format nil \"~d items\" $i)",
                "(format nil \"~5d|\" $i)",
                "(format nil \"~5,'0d|\" $i)",
                "(format nil \"~:d\" $i)",
                "(format nil \"~@d\" $i)",
                "(format nil \"~x ~o ~b\" $i $i $i)",
                "(format nil \"~10a|\" $s)",
                "(format nil \"~10@a|\" $s)",
                "(format nil \"~,2f\" (mod $n 1000))",
                "(format nil \"~8,3f|\" (mod $n 1000))",
                "(format nil \"~{~a~^, ~}\" $l)",
                "(format nil \"~{~a~}\" $l)",
                "(format nil \"~{<~a:~a>~}\" '(a 1 b 2))",
                "(format nil \"~[zero~;one~;two~]\" $k)",
                "(format nil \"~[zero~;one~:;many~]\" $k)",
                "(format nil \"~:[no~;yes~]\" $b)",
                "(format nil \"~d letter~:p\" $i)",
                "(format nil \"~d ~a~p\" $i \"letter\" $k)",
                "(format nil \"~a~%~a~~\" $i $s)",
                "(format nil \"~c\" $c)",
                "(format nil \"~s\" $s)",
                "(format nil \"~s\" $c)",
                "(format nil \"~a and ~a\" (list $s $c) 'sym)",
                "(format nil \"~s\" (list $s $c :key 'sym))",
                "(format nil \"~&x~&y\")",
                "(format nil \"~(~a~) ~:@(~a~)\" $s $s)",
                "(format nil \"~*~a\" 1 $i)",
                "(format nil \"~v,'.d\" 6 $i)",
                "(format nil \"~r ~:r\" $i $k)",
                "(format nil \"~a\" (vector 1 $s))",
                "(format nil \"~s\" (cons $i $s))",
                "(format nil \"~{~{~a=~a~}~^;~}\" '((a 1) (b 2)))",
                "(format nil \"~:{~a=~a ~}\" '((a 1) (b 2)))",
                "(format nil \"~@{~a ~}\" 1 2 $i)",
                "(format nil \"~?\" \"~a-~a\" (list 1 $i))",
                "(format nil \"~3,'*d\" $i)",
                "(format nil \"~f\" (+ 0.5 (mod $i 1000)))",
                "(format nil \"~$$\" (mod $i 1000))",
            ],
            depth,
        )
    }

    fn anything(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.random.below(8) {
                0 => self.leaf(Type::List),
                1 => self.leaf(Type::String),
                2 => self.character(),
                3 => self.random.one(&["'a", "'(a . b)", ":key", "'sym"]).to_owned(),
                4 => self.random.one(&["(vector 1 2)", "#(1 \"a\" #\\b)", "1/3", "2.5"]).to_owned(),
                _ => self.leaf(Type::Integer),
            };
        }
        match self.random.below(8) {
            0 => self.list(depth),
            1 => self.string(depth),
            2 => self.bound(depth, Self::anything),
            _ => self.pick(
                &[
                    "(cond ((= $i 1) $a) ($b $a))",
                    "(case $k (0 $a) ((1 2) $a))",
                    "(case 'b ((a b) $a) (t $a))",
                    "(ecase $k (0 $i) (1 $i))",
                    "(typecase $a (integer :integer) (string :string) (list :list) (t :other))",
                    "(when $b $a)",
                    "(unless $b $a $a)",
                    "(and $a $a)",
                    "(or $a $a)",
                    "(catch 'tag (throw 'tag $a) 1)",
                    "(block b (return-from b $a) 1)",
                    "(let ((log nil)) (catch 'x (unwind-protect (throw 'x 1) (push $i log))) log)",
                    "(unwind-protect $a $a)",
                    "(handler-case (error \"no ~a\" $i) (error (e) (princ-to-string e)))",
                    "(handler-case (car $i) (error () :failed))",
                    "(handler-case $a (error () :failed))",
                    "(handler-case (/ $i $k) (error () :zero) (:no-error (v) (list v)))",
                    "(ignore-errors $a)",
                    "(let ((h (make-hash-table :test 'equal))) (setf (gethash $s h) $i) (list (gethash $s h) (hash-table-count h)))",
                    "(let ((h (make-hash-table))) (incf (gethash 'a h 0) $i) (gethash 'a h))",
                    "(let ((h (make-hash-table))) (multiple-value-list (gethash 'a h $i)))",
                    "(getf (list :a $i) :b $a)",
                    "(let ((v (vector 1 2 3))) (setf (aref v 1) $a) v)",
                    "(let ((v (make-array 3 :initial-element $i))) (incf (aref v 0)) v)",
                    "(vector $a $i)",
                    "(map 'vector $f $l)",
                    "(coerce $l 'vector)",
                    "(concatenate 'vector $l $l)",
                    "(subseq (vector 1 2 3 4) $k)",
                    "(reverse (vector 1 $a))",
                    "(cdr (assoc 2 (list (list 1 2) (list 2 $i))))",
"(assoc \"b\" '((\"a\" . 1) (\"b\" . 2)) :test #'string=)",
"(rassoc $i '((a . 1) (b . 2)))",
"(find $i '((1 2) (3 4)) :key #'first)",
"(find $i $l)",
"(list-length $l)",
"(tree-equal $l $l)",
"(second $l)",
"(third $l)",
"(nth $k $l)",
"(elt (list 1 2 3 4 5) $k)",
"(find-if $p $l)",
"(position $i $l)",
"(position-if $p $l)",
"(position $i $l :from-end t)",
"(some $p $l)",
"(every $p $l)",
"(notany $p $l)",
"(notevery $p $l)",
"(reduce (lambda (a b) (list a b)) $l)",
"(mismatch $l $l)",
"(search $l (list 3 1 2 4 4 2 7))",
"(subst $i 2 '(1 (2 3) 2))",
"(copy-tree (list $i $l))",
"(apply #'mapcar #'list (list $l $l))",
                    "(coerce $s 'list)",
"(char \"hello\" $k)",
"(char-upcase $c)",
"(char-code $c)",
"(digit-char $k)",
"(loop for c across $s collect (char-downcase c))",
"(position $c $s)",
"(search $s $s)",
"(search \"a\" $s)",
"(search \"Re\" $s :from-end t)",
"(string< $s $s)",
"(string/= $s $s)",
"(string> $s $s)",
"(string-lessp $s $s)",
"(mismatch $s $s)",
"(count-if #'alpha-char-p $s)",
"(find-if #'digit-char-p $s)",
"(find $c $s)",
"(parse-integer $s :junk-allowed t)",
"(length (string-trim \" \" $s))",
"(every #'alpha-char-p $s)",
"(aref \"hello\" $k)",
"(elt \"hello\" $k)",
"(string-equal $s $s)",
"(fill (vector 1 2 3) $i :start 1)",
"(replace (vector 1 2 3) $l)",
                    "`($k (a ,$i) . b)",
                    "(pairlis '(a) (list $i))",
                    "(multiple-value-list $n)",
                    "(multiple-value-list $i)",
                    "(let ((n $i)) (multiple-value-list (if $b n (floor n $z))))",
                    "(multiple-value-bind (a b) $n (list a b))",
                    "(multiple-value-list (progn (floor $i $z) $a))",
                    "(nth-value 1 $i)",
                    "(cons $a $a)",
                    "(list $a $a)",
                    "(list 'quote $a)",
                    "'(quote a)",
                    "(multiple-value-call #'list (values 1 $i) $a)",
                    "(multiple-value-prog1 $a $a)",
                    "(let ((a $i) (b $i)) (psetq a b b a) (list a b))",
                    "(let ((a 1) (b 2)) (rotatef a b) (list a b))",
                    "(let* ((a $i) (b (+ a 1))) (list a b))",
                    "(let ((f (let ((n $i)) (lambda () (incf n))))) (funcall f) (funcall f))",
                    "(mapcar (lambda (f) (funcall f $i)) (list #'1+ #'1-))",
                    "(car $a)",
                    "(+ $i $a)",
                    "(length $a)",
                    "(nth $a $l)",
                    "(first $a)",
                    "(prog1 $a $i)",
                    "(progn)",
                    "(values $a $a)",
                    "(let () $a)",
                    "(dotimes (i $k) $a)",
                    "(dolist (i $l) $a)",
                    "(dolist (i $l :done) $a)",
                    "(dolist (i $l) (when (evenp i) (return i)))",
                    "(loop for i from 0 when (> i $k) return i)",
                    "(loop for x in $l thereis (and (> x 2) x))",
                    "(loop for x in $l always (integerp x))",
                    "(loop for x in $l never (minusp x))",
                    "(loop for x in $l collect x into xs finally (return (length xs)))",
                    "(loop named outer for x in $l do (loop for y in $l when (= x y) do (return-from outer x)))",
                    "(loop for (k v) on '(:a 1 :b 2) by #'cddr collect (cons k v))",
                    "(loop for x in $l for y in $l collect (cons x y))",
                    "(loop for x = (1+ $k) then (* x 2) while (< x 50) collect x)",
                    "(do* ((i 0 (1+ i)) (j i (* 2 i))) ((> i $k) j))",
                    "(let ((list (list 1 2))) (list list $i))",
                    "(funcall #'list $a $a)",
                    "(apply #'concatenate 'string (list $s $s))",
                    "(let ((x $i)) (flet ((get-x () x)) (setq x $i) (get-x)))",
                    "(assert t)",
                    "(funcall (constantly $i) 1 2)",
                    "(funcall (complement #'evenp) $i)",
                    "(equal (multiple-value-list (values)) nil)",
                    "(nconc (list $i) (list $i))",
                    "(max $a $i)",
                    "(identity $a)",
                    "(eq $a $a)",
                ],
                depth,
            ),
        }
    }

    /// Puts a `let` around an expression that may use the variable.
    fn bound(&mut self, depth: usize, body: fn(&mut Self, usize) -> String) -> String {
        let (of, value) = match self.random.below(3) {
            0 => (Type::Integer, self.integer(depth - 1)),
            1 => (Type::List, self.list(depth - 1)),
            _ => (Type::String, self.string(depth - 1)),
        };
        self.binding(of, |this| {
            let body = body(this, depth - 1);
            format!("(let (({{v}} {value})) {body})")
        })
    }
}
