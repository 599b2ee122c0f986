//! Documents generated from the program's own tables: the reference, the manual page, completions
//! for shells.

use super::arguments::Arguments;
use super::output::print;
use crate::api::reference as functions;
use clap::CommandFactory;
use clap_complete::Shell;

pub(super) fn completions(shell: Shell) -> Result<i32, String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "postoffice", &mut script);
    print(&String::from_utf8_lossy(&script)).map_err(|error| error.to_string())?;
    Ok(0)
}

pub(super) fn reference(man: bool) -> Result<i32, String> {
    let text =
        if man { manual_page().map_err(|error| error.to_string())? } else { functions::markdown() };
    print(&text).map_err(|error| error.to_string())?;
    Ok(0)
}

/// Returns the command's manual page, with the functions by topic.
fn manual_page() -> std::io::Result<String> {
    let command = Arguments::command();
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    page.push_str(".SH COMMANDS\n");
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        page.push_str(&format!(
            ".TP\n\\fB{}\\fR\n{}\n",
            roff(subcommand.get_name()),
            subcommand.get_about().map_or_else(String::new, |about| roff(&about.to_string()))
        ));
        for argument in subcommand.get_arguments().filter(|argument| !argument.is_global_set()) {
            let name = argument.get_long().map_or_else(
                || argument.get_id().as_str().to_uppercase(),
                |long| format!("--{long}"),
            );
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            page.push_str(&format!(".RS\n.TP\n\\fI{}\\fR\n{}\n.RE\n", roff(&name), roff(&help)));
        }
    }
    page.push_str(".SH FUNCTIONS\nThe mail functions of the language; (help 'NAME) at the prompt explains one, with examples.\n");
    for (title, signatures) in functions::by_topic() {
        page.push_str(&format!(".SS {}\n.nf\n", roff(title)));
        for signature in signatures {
            page.push_str(&format!("{}\n", roff(&signature)));
        }
        page.push_str(".fi\n");
    }
    page.push_str(
        ".SH FILES\n.TP\n$XDG_CONFIG_HOME/postoffice/init.scm, ~/.config/postoffice/init.scm\nForms that the prompt runs when it starts, and run and eval with \\-\\-init.\n\
         .TP\n$XDG_STATE_HOME/postoffice/history, ~/.local/state/postoffice/history\nWhat was typed at the prompt, without secrets.\n\
         .SH ENVIRONMENT\n.TP\nNO_COLOR\nNo colours at the prompt.\n\
         .SH EXIT STATUS\n0 when all went well, 1 on an error, 2 on wrong arguments, 130 on Ctrl-C, SIGTERM or SIGHUP, after which clean-up runs and connections log out, else what (exit) was given.\n",
    );
    Ok(page)
}

/// Escapes text for roff, so that backslashes, hyphens and leading dots are not commands.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let lines: Vec<String> = escaped
        .lines()
        .map(
            |line| {
                if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
            },
        )
        .collect();
    lines.join("\n")
}
