//! The report page in headless Chromium: it shows what the store holds, it fits a phone and a
//! desktop, and its contrast is sufficient.

use super::{Count, Expected, session_with_letters};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A page that measures another one. It shows PAGE in a frame that is WIDTH pixels wide, and
/// replaces its own content with the findings as JSON.
const MEASURE: &str = r#"<!doctype html><meta charset="utf-8"><body><iframe style="border:0;height:844px;width:WIDTHpx"></iframe><script>
const frame = document.querySelector("iframe");
frame.onload = () => {
  const page = frame.contentDocument, view = frame.contentWindow, found = {};
  const channels = (text) => text.match(/[\d.]+/g).map(Number);
  const luminance = (text) => {
    const [red, green, blue] = channels(text).slice(0, 3).map((channel) => {
      channel /= 255;
      return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const color = view.getComputedStyle(element).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const elements = [...page.body.querySelectorAll("*")];
  const texts = elements.filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  const bars = [...page.querySelectorAll(".bar")];
  found.wide = elements.filter((element) => element.getBoundingClientRect().right > view.innerWidth + 0.5).length;
  found.overflowing = page.documentElement.scrollWidth > page.documentElement.clientWidth;
  found.spilling = elements.filter((element) => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0).length;
  found.text = Math.min(...texts.map((element) => contrast(view.getComputedStyle(element).color, ground(element))));
  found.bar = Math.min(...bars.map((element) => contrast(view.getComputedStyle(element).backgroundColor, ground(element.parentElement))));
  found.dark = luminance(view.getComputedStyle(page.body).backgroundColor) < 0.2;
  found.foreign = page.querySelectorAll("script, img, link, iframe, object, embed, a, form, [src], [href], [onload], [onerror]").length;
  found.bars = bars.length;
  found.tables = [...page.querySelectorAll("table")].map((table) => ({
    caption: table.caption.textContent,
    heads: [...table.querySelectorAll("thead th[scope=col]")].map((head) => head.textContent),
    rows: [...table.tBodies[0].rows].map((row) => {
      const label = row.querySelector("th[scope=row]");
      const values = [...row.querySelectorAll("td data")].map((data) => data.value);
      return [(label.querySelector(".address") || label).textContent, ...values];
    }),
  }));
  found.totals = [...page.querySelectorAll("dd data")].map((data) => data.value);
  found.structure = [page.documentElement.lang, page.title, page.querySelectorAll("main h1").length, page.querySelectorAll("caption h2").length];
  frame.remove();
  document.querySelector("script").remove();
  document.body.textContent = JSON.stringify(found);
};
frame.srcdoc = PAGE;
</script>"#;

/// Returns what [`MEASURE`] finds in a page, or `None` if there is no Chromium and none is
/// required.
fn measured(page: &str, width: u32, dark: bool) -> Option<serde_json::Value> {
    let folder = tempfile::tempdir().unwrap();
    let quoted = serde_json::to_string(page).unwrap().replace('<', "\\u003c");
    let file = folder.path().join("measure.html");
    std::fs::write(&file, MEASURE.replace("WIDTH", &width.to_string()).replace("PAGE", &quoted))
        .unwrap();
    let dom = dumped(&file, folder.path(), dark)?;
    let json = dom.split_once("<body>").unwrap().1.split_once("</body>").unwrap().0;
    let json = json
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&nbsp;", "\u{a0}")
        .replace("&amp;", "&");
    Some(serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {dom}")))
}

/// Returns the document after everything in it has loaded and run.
fn dumped(file: &Path, folder: &Path, dark: bool) -> Option<String> {
    // The names of the command in Debian and in Fedora.
    let output = ["chromium", "chromium-browser"].into_iter().find_map(|name| {
        Command::new(name)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
            ])
            .args([
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                "--window-size=1400,900",
            ])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .arg(format!("--blink-settings=preferredColorScheme={}", u32::from(!dark)))
            .arg("--dump-dom")
            .arg(format!("file://{}", file.display()))
            .output()
            .ok()
    });
    match output {
        Some(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8(output.stdout).unwrap())
        }
        None => {
            assert!(std::env::var("POSTOFFICE_REAL_SERVERS").is_err(), "chromium is missing");
            None
        }
    }
}

/// Returns the rows of the table with this caption, by label.
fn rows(found: &serde_json::Value, caption: &str) -> BTreeMap<String, Count> {
    let table = found["tables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|table| table["caption"] == caption)
        .unwrap();
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse().unwrap();
    assert_eq!(table["heads"].as_array().unwrap().len(), 3, "{caption}");
    table["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row[0].as_str().unwrap().to_owned(), (number(&row[1]), number(&row[2]))))
        .collect()
}

#[test]
fn the_page_shows_the_stores_numbers_and_fits_every_screen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let (mut session, sandbox) = session_with_letters(1_000);
    let reply = session
        .evaluate(&format!("(mailbox-report mb :top 1000 :html {:?})", path.display().to_string()));
    assert!(reply.result.is_ok(), "{}", reply.text());
    let page = std::fs::read_to_string(&path).unwrap();
    let expected = Expected::of(&sandbox.store().letters("myacct", "INBOX"));
    for (width, dark) in [(390, false), (390, true), (320, false), (1_280, false), (1_280, true)] {
        let Some(found) = measured(&page, width, dark) else { return };
        let place = format!("{width} px, dark {dark}: {found}");
        assert_eq!(rows(&found, "By sender"), expected.senders, "{place}");
        assert_eq!(rows(&found, "By month"), expected.months, "{place}");
        let sizes = rows(&found, "By size");
        let labels = [
            "under 1 kB",
            "1 kB to 10 kB",
            "10 kB to 100 kB",
            "100 kB to 1 MB",
            "1 MB to 10 MB",
            "10 MB and more",
        ];
        assert_eq!(
            labels.map(|label| sizes[label]).to_vec(),
            expected.sizes.values().copied().collect::<Vec<_>>(),
            "{place}"
        );
        let totals =
            [expected.all.0, expected.all.1, expected.unseen, expected.senders.len() as u64]
                .map(|total| total.to_string());
        assert_eq!(found["totals"], serde_json::json!(totals), "{place}");
        assert_eq!(
            found["structure"],
            serde_json::json!(["en", "inbox: mailbox report", 1, 3]),
            "{place}"
        );
        assert_eq!(found["foreign"], 0, "{place}");
        assert_eq!(
            (&found["wide"], &found["spilling"], &found["overflowing"]),
            (&0.into(), &0.into(), &false.into()),
            "{place}"
        );
        assert_eq!(found["dark"], dark, "{place}");
        // Minimum contrast of text and of graphics: WCAG 2.2, criteria 1.4.3 and 1.4.11.
        assert!(
            found["text"].as_f64().unwrap() >= 4.5 && found["bar"].as_f64().unwrap() >= 3.0,
            "{place}"
        );
        assert!(found["bars"].as_u64().unwrap() > 50, "{place}");
    }
}
