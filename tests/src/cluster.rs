//! The four services as processes of their own, joined over TCP.

use crate::{Api, Credentials, Lines, Outcome, Sandbox, binary, http, ports, until};
use std::process::{Child, Command, Stdio};

/// One running service; killed when it is dropped.
pub struct Service {
    child: Child,
    log: Lines,
}

impl Service {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL to this one process: nothing of it can react.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn kill_9(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> &Lines {
        &self.log
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("{}", self.log.text());
        }
    }
}

/// A whole cluster of one of each; each is started by its own call.
pub struct Cluster<'s> {
    sandbox: &'s Sandbox,
    /// gateway, registry, monitor, runner
    ports: [u16; 4],
    ops: [u16; 4],
    token: String,
    environment: Vec<(String, String)>,
}

impl<'s> Cluster<'s> {
    /// Ports and tokens for one.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn new(sandbox: &'s Sandbox) -> Self {
        let secret = |name: &str, text: &str| {
            let path = sandbox.write(name, text);
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            path
        };
        let _ = secret("service.token", "a-token-that-the-services-share-0123456789");
        let token = "a-token-of-the-administrator-0123456789".to_owned();
        let _ = secret("admin.token", &token);
        Self {
            sandbox,
            ports: std::array::from_fn(|_| ports::free()),
            ops: std::array::from_fn(|_| ports::free()),
            token,
            environment: Vec::new(),
        }
    }

    /// The same, every service with these variables.
    #[must_use]
    pub fn with_environment(mut self, variables: &[(&str, &str)]) -> Self {
        self.environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// The address of a service, by its place: gateway, registry, monitor, runner.
    #[must_use]
    pub fn url(&self, index: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[index])
    }

    /// The operations port of a service, by its place.
    #[must_use]
    pub fn ops_port(&self, index: usize) -> u16 {
        self.ops[index]
    }

    fn start(&self, name: &str, index: usize, args: &[String], environment: &[(&str, &str)]) -> Service {
        self.start_at(name, [self.ports[index], self.ops[index]], args, environment)
    }

    fn start_at(&self, name: &str, [port, ops]: [u16; 2], args: &[String], environment: &[(&str, &str)]) -> Service {
        let mut command = Command::new(binary::path(name));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.envs(environment.iter().copied());
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        command.args(["--ops-listen", &format!("127.0.0.1:{ops}")]).args(args);
        command.current_dir(self.sandbox.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Lines::of(child.stderr.take().unwrap());
        let service = Service { child, log };
        let ops = format!("127.0.0.1:{ops}");
        until(&format!("{name} is ready"), || {
            std::net::TcpStream::connect(&ops).is_ok() && http::get(&ops, "/readyz", None).status == 200
        });
        service
    }

    fn service_token(&self) -> [String; 2] {
        ["--service-token-file".to_owned(), self.sandbox.file("service.token")]
    }

    /// Starts the registry and waits until it is ready.
    #[must_use]
    pub fn registry(&self) -> Service {
        let data = ["--data-dir".to_owned(), self.sandbox.file("registry")];
        self.start("registry-svc", 1, &[data, self.service_token()].concat(), &[])
    }

    /// Starts the monitor and waits until it is ready.
    #[must_use]
    pub fn monitor(&self) -> Service {
        self.start("monitor-svc", 2, &self.service_token(), &[])
    }

    /// Starts the gateway and waits until it is ready.
    #[must_use]
    pub fn gateway(&self) -> Service {
        let admin = ["--admin-token-file".to_owned(), self.sandbox.file("admin.token")];
        let back = ["--registry".to_owned(), self.url(1), "--monitor".to_owned(), self.url(2)];
        self.start("gateway", 0, &[&admin[..], &back, &self.service_token()].concat(), &[])
    }

    /// Starts the runner and waits until it is ready.
    #[must_use]
    pub fn runner(&self) -> Service {
        self.runner_with(&[])
    }

    /// The same with options of one's own.
    #[must_use]
    pub fn runner_with(&self, options: &[&str]) -> Service {
        self.runner_in(options, &[])
    }

    /// The same with variables of one's own, too.
    #[must_use]
    pub fn runner_in(&self, options: &[&str], environment: &[(&str, &str)]) -> Service {
        let back = ["--registry".to_owned(), self.url(1), "--monitor".to_owned(), self.url(2)];
        let place =
            ["--state-dir".to_owned(), self.sandbox.file("runner"), "--log-dir".to_owned(), self.sandbox.file("logs")];
        let node = ["--node".to_owned(), "node-a".to_owned()];
        let own: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
        self.start("runner-svc", 3, &[&back[..], &place, &node, &own, &self.service_token()].concat(), environment)
    }

    /// Starts the runner of one of several nodes, with labels (`zone=eu`), and
    /// waits until it is ready. Started again, it is the same node.
    #[must_use]
    pub fn node(&self, name: &str, labels: &[&str]) -> Service {
        let back = ["--registry".to_owned(), self.url(1), "--monitor".to_owned(), self.url(2)];
        let (state, logs) = (self.sandbox.file(&format!("{name}.runner")), self.sandbox.file(&format!("{name}.logs")));
        let place = ["--node", name, "--state-dir", &state, "--log-dir", &logs].map(str::to_owned);
        let labels: Vec<String> = labels.iter().map(|label| format!("--label={label}")).collect();
        let args = [&back[..], &place, &labels, &self.service_token()].concat();
        self.start_at("runner-svc", [ports::free(), ports::free()], &args, &[])
    }

    /// The file with the admin's token.
    #[must_use]
    pub fn token_file(&self) -> String {
        self.sandbox.file("admin.token")
    }

    /// A gRPC client of the gateway with the admin's token.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(&Credentials { endpoint: self.url(0), token: self.token.clone(), token_file: self.token_file() })
    }

    /// Runs `pmctl` against it.
    #[must_use]
    pub fn pmctl(&self, args: &[&str]) -> Outcome {
        let token_file = self.token_file();
        self.sandbox.pmctl(&[&["--endpoint", &self.url(0), "--token-file", &token_file], args].concat())
    }
}
