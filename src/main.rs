//! The program.

fn main() -> std::process::ExitCode {
    cdc::cli::main()
}
