//! systemd itself, as PID 1 of a namespace, with a system bus and the units of
//! a test: those of this machine are out of its sight. Needs root.

use crate::{Beside, Outcome, Sandbox, proc, until};
use std::process::Command;

/// Without what a unit has by default: there is nothing yet that it could come
/// after.
const BARE: &str = "[Unit]\nDefaultDependencies=no\n";

/// What units of other machines wait for.
const TARGETS: [&str; 6] = [
    "sysinit.target",
    "basic.target",
    "shutdown.target",
    "multi-user.target",
    "network-online.target",
    "time-sync.target",
];

/// Ended when it is dropped, with everything that it runs.
pub struct Systemd {
    init: Option<Beside>,
    address: String,
    hierarchy: String,
    group: String,
}

/// What it is to find when it boots.
pub struct Boot<'s> {
    sandbox: &'s Sandbox,
    mounts: String,
    units: String,
}

impl Drop for Systemd {
    fn drop(&mut self) {
        self.init = None;
        // Its groups, as soon as nobody is left in them.
        let script = format!(
            "mount -t cgroup -o none,name=systemd cgroup {hierarchy}\n\
             for i in $(seq 100); do find {group} -depth -type d -exec rmdir {{}} + && exit; sleep 0.05; done",
            hierarchy = self.hierarchy,
            group = self.group,
        );
        let _ = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output();
    }
}

impl<'s> Boot<'s> {
    /// Nothing but a system bus.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn new(sandbox: &'s Sandbox) -> Self {
        for folder in ["units", "run/dbus", "hierarchy"] {
            std::fs::create_dir_all(sandbox.file(&format!("systemd/{folder}"))).expect("the disk has room");
        }
        let bus = sandbox.write("systemd/bus.conf", &configuration());
        let daemon = format!(
            "{BARE}Requires=dbus.socket\nAfter=dbus.socket\n[Service]\nType=notify\nNotifyAccess=main\n\
             ExecStart=/usr/bin/dbus-daemon --address=systemd: --nofork --nopidfile --systemd-activation --config-file={bus}\n"
        );
        let units = sandbox.file("systemd/units");
        let boot = Self { sandbox, mounts: String::new(), units }
            .unit("dbus.socket", &format!("{BARE}[Socket]\nListenStream=/run/dbus/system_bus_socket\n"))
            .unit("dbus.service", &daemon)
            .unit("test.target", &format!("{BARE}Wants=dbus.socket dbus.service\n"));
        TARGETS.into_iter().fold(boot, |boot, target| boot.unit(target, BARE))
    }

    /// A unit, or what is dropped in beside one (`NAME.d/what.conf`).
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn unit(self, name: &str, text: &str) -> Self {
        let path = self.sandbox.path().join("systemd/units").join(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the disk has room");
        std::fs::write(path, text).expect("the disk has room");
        self
    }

    /// It sees this folder at that place.
    #[must_use]
    pub fn sees(mut self, folder: &str, at: &str) -> Self {
        self.mounts += &format!("mkdir -p {at}\nmount --bind {folder} {at}\n");
        self
    }

    /// It sees this folder of the machine, and what it writes there stays in the sandbox.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn keeps(mut self, folder: &str) -> Self {
        let layer = self.sandbox.file(&format!("systemd/layers/{}", folder.trim_matches('/').replace('/', "-")));
        for name in ["upper", "work"] {
            std::fs::create_dir_all(format!("{layer}/{name}")).expect("the disk has room");
        }
        let layers = format!("lowerdir={folder},upperdir={layer}/upper,workdir={layer}/work");
        self.mounts += &format!("mount -t overlay overlay -o {layers} {folder}\n");
        self
    }

    /// It finds units in this folder, too.
    #[must_use]
    pub fn finds_units(mut self, folder: &str) -> Self {
        self.units += &format!(":{folder}");
        self
    }

    /// Boots it, with a network of its own. None of the units is started.
    ///
    /// # Panics
    /// When it does not answer within the deadline.
    #[must_use]
    pub fn boot(self) -> Systemd {
        let sandbox = self.sandbox;
        let place = |name: &str| sandbox.file(&format!("systemd/{name}"));
        let boot = format!(
            "set -e\nmount --make-rprivate /\nmount -t proc proc /proc\nmount --bind {run} /run\nip link set lo up\n\
             mount -t tmpfs tmpfs /mnt\n{mounts}mount -t tmpfs tmpfs /sys/fs/cgroup\nmkdir /sys/fs/cgroup/systemd\n\
             mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd\n\
             exec env -i container=test PATH=/usr/bin:/bin SYSTEMD_UNIT_PATH={units} SYSTEMD_GENERATOR_PATH=/nonexistent \
             /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=no\n",
            mounts = self.mounts,
            run = place("run"),
            units = self.units,
        );
        let boot = sandbox.write("systemd/boot.sh", &boot);
        let mut systemd = start(sandbox, "systemd", &["--net"], &boot);
        let address = format!("unix:path={}", place("run/dbus/system_bus_socket"));
        let asked = format!("--address={address}");
        until("systemd answers", || {
            let mut status = Command::new("busctl");
            Outcome::of(status.args(["--timeout=2", &asked, "status", "org.freedesktop.systemd1"])).code == 0
        });
        systemd.address = address;
        systemd
    }
}

/// Starts a shell's script, which is to become systemd, as PID 1 of namespaces of its own: those that all have, and `spaces`.
/// Its files are in the folder `name` of the sandbox.
pub(crate) fn start(sandbox: &Sandbox, name: &str, spaces: &[&str], boot: &str) -> Systemd {
    let hierarchy = sandbox.file(&format!("{name}/hierarchy"));
    std::fs::create_dir_all(&hierarchy).expect("the disk has room");
    // A control group of its own: another one's systemd would take its units for what it has to end.
    let group = format!("{hierarchy}/pm-test-{}-{name}", sandbox.path().file_name().unwrap_or_default().display());
    let enter = format!(
        "set -e\nmount --make-rprivate /\nmount -t cgroup -o none,name=systemd cgroup {hierarchy}\nmkdir {group}\n\
         echo $$ > {group}/cgroup.procs\n\
         exec unshare --pid --fork --ipc --uts --cgroup --kill-child {spaces} sh {boot}\n",
        spaces = spaces.join(" "),
    );
    let enter = sandbox.write(&format!("{name}/enter.sh"), &enter);
    let mut command = Command::new("unshare");
    let init = Beside::run(sandbox, name, command.args(["--mount", "sh", &enter]));
    Systemd { init: Some(init), address: String::new(), hierarchy, group }
}

impl Systemd {
    /// `systemctl` inside of it.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn systemctl(&self, words: &[&str]) -> Outcome {
        Outcome::of(self.inside("systemctl").args(words))
    }

    /// A script of its shell, inside of it.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn sh(&self, script: &str) -> Outcome {
        Outcome::of(self.inside("sh").args(["-c", script]))
    }

    /// A program inside of it.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init().to_string(), "--mount", "--pid", "--net", program]);
        command
    }

    /// What a process of it is called out here.
    ///
    /// # Panics
    /// When there is no such process.
    #[must_use]
    pub fn outside(&self, pid: u32) -> u32 {
        let own = proc::pid_namespace(self.init());
        let is_it = |one: &u32| proc::innermost(*one) == Some(pid) && proc::pid_namespace(*one) == own;
        let found = proc::all().into_iter().find(is_it);
        found.unwrap_or_else(|| panic!("there is no process {pid} in there"))
    }

    /// Its PID 1.
    fn init(&self) -> u32 {
        self.try_init().expect("it runs")
    }

    /// The same, if there is one yet, and still.
    pub(crate) fn try_init(&self) -> Option<u32> {
        let outside = self.init.as_ref()?.pid();
        proc::all().into_iter().find(|pid| proc::parent(*pid) == Some(outside))
    }

    /// A property of a unit, as `MainPID`.
    #[must_use]
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.systemctl(&["show", "--value", "--property", name, unit]).succeeded().trim().to_owned()
    }

    /// Where its bus is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// Of a bus on which everybody may do everything: only this test is there.
fn configuration() -> String {
    let may =
        ["send_destination=\"*\"", "send_type=\"method_call\"", "receive_sender=\"*\"", "own=\"*\"", "user=\"*\""];
    let may: String = may.iter().map(|what| format!("<allow {what}/>")).collect();
    format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
         \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig><type>system</type>\
         <listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\">{may}</policy></busconfig>\n"
    )
}
