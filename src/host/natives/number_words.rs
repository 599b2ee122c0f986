//! Numbers in words and in Roman numerals, for `format`'s `~r` (ANSI 22.3.2.1).

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const THOUSANDS: [&str; 7] =
    ["", " thousand", " million", " billion", " trillion", " quadrillion", " quintillion"];

/// `~r`: 21 is "twenty-one".
pub(super) fn cardinal(number: i64) -> String {
    let mut left = number.unsigned_abs();
    let mut groups = Vec::new();
    for thousands in THOUSANDS {
        let group = (left % 1000) as usize;
        if group > 0 {
            groups.push(below_thousand(group) + thousands);
        }
        left /= 1000;
    }
    groups.reverse();
    match (number, groups.join(" ")) {
        (0, _) => SMALL[0].to_owned(),
        (..0, words) => format!("negative {words}"),
        (_, words) => words,
    }
}

fn below_thousand(number: usize) -> String {
    let (hundreds, rest) = (number / 100, number % 100);
    let mut words = Vec::new();
    if hundreds > 0 {
        words.push(format!("{} hundred", SMALL[hundreds]));
    }
    match rest {
        0 => {}
        1..20 => words.push(SMALL[rest].to_owned()),
        _ if rest % 10 == 0 => words.push(TENS[rest / 10].to_owned()),
        _ => words.push(format!("{}-{}", TENS[rest / 10], SMALL[rest % 10])),
    }
    words.join(" ")
}

/// `~:r`: 21 is "twenty-first".
pub(super) fn ordinal(number: i64) -> String {
    let words = cardinal(number);
    let at = words.rfind([' ', '-']).map_or(0, |separator| separator + 1);
    let last = match &words[at..] {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        tens if tens.ends_with('y') => format!("{}ieth", &tens[..tens.len() - 1]),
        other => format!("{other}th"),
    };
    format!("{}{last}", &words[..at])
}

/// `~@r`, and with `old` (`~:@r`) 4 as IIII; numbers from 1 to 3999.
pub(super) fn roman(number: i64, old: bool) -> Option<String> {
    const NUMERALS: [(i64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..4000).contains(&number) {
        return None;
    }
    let mut left = number;
    let mut numeral = String::new();
    for (value, letters) in NUMERALS.iter().filter(|(_, letters)| !old || letters.len() == 1) {
        while left >= *value {
            numeral.push_str(letters);
            left -= value;
        }
    }
    Some(numeral)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_words_and_numerals_of_the_standard() {
        for (number, words, place) in [
            (0, "zero", "zeroth"),
            (4, "four", "fourth"),
            (12, "twelve", "twelfth"),
            (20, "twenty", "twentieth"),
            (21, "twenty-one", "twenty-first"),
            (100, "one hundred", "one hundredth"),
            (1_000_003, "one million three", "one million third"),
            (-119, "negative one hundred nineteen", "negative one hundred nineteenth"),
        ] {
            assert_eq!((cardinal(number).as_str(), ordinal(number).as_str()), (words, place));
        }
        assert!(cardinal(i64::MIN).starts_with("negative nine quintillion"));
        let numerals = [
            (4, "IV", "IIII"),
            (1994, "MCMXCIV", "MDCCCCLXXXXIIII"),
            (3999, "MMMCMXCIX", "MMMDCCCCLXXXXVIIII"),
        ];
        for (number, new, old) in numerals {
            assert_eq!(roman(number, false).as_deref(), Some(new));
            assert_eq!(roman(number, true).as_deref(), Some(old));
        }
        assert_eq!((roman(0, false), roman(4000, true)), (None, None));
    }
}
