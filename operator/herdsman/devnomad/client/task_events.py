"""Task events, worded as Nomad words them."""

from typing import Any, Final

from herdsman.devnomad.clock import duration_text, now_ns
from herdsman.devnomad.types import Row

KEPT: Final = 10

_BLANK: Final[Row] = {
    "DiskLimit": 0,
    "DownloadError": "",
    "DriverError": "",
    "DriverMessage": "",
    "ExitCode": 0,
    "FailedSibling": "",
    "FailsTask": False,
    "GenericSource": "",
    "KillError": "",
    "KillReason": "",
    "KillTimeout": 0,
    "RestartReason": "",
    "SetupError": "",
    "Signal": 0,
    "StartDelay": 0,
    "TaskSignal": "",
    "TaskSignalReason": "",
    "ValidationError": "",
    "VaultError": "",
}


def event(kind: str, display: str, *, details: Row | None = None, message: str = "", **fields: Any) -> Row:
    """An event of the given type."""
    return {
        **_BLANK,
        "Type": kind,
        "Time": now_ns(),
        "DisplayMessage": display,
        "Message": message,
        "Details": details or {},
        **fields,
    }


def received() -> Row:
    """The client has the task."""
    return event("Received", "Task received by client")


def setup(text: str = "Building Task Directory") -> Row:
    """Something is made ready for the task."""
    return event("Task Setup", text, message=text, details={"message": text})


def setup_failure(error: str) -> Row:
    """The task cannot be made ready."""
    return event("Setup Failure", error, details={"setup_error": error}, SetupError=error, FailsTask=True)


def artifacts() -> Row:
    """Artifacts are being fetched."""
    return event("Downloading Artifacts", "Client is downloading artifacts")


def artifact_failure(error: str) -> Row:
    """An artifact could not be fetched."""
    return event("Failed Artifact Download", error, details={"download_error": error}, DownloadError=error)


def template(text: str) -> Row:
    """Something about the task's templates."""
    return event("Template", text, message=text, details={"message": text})


def driver(text: str) -> Row:
    """What the driver has to say."""
    return event("Driver", text, details={"driver_message": text}, DriverMessage=text)


def driver_failure(error: str) -> Row:
    """The driver could not start the task."""
    return event("Driver Failure", error, details={"driver_error": error}, DriverError=error)


def started() -> Row:
    """The task runs."""
    return event("Started", "Task started by client")


def terminated(exit_code: int, signal: int, *, message: str = "", oom: bool = False) -> Row:
    """The task ended."""
    parts = [f"Exit Code: {exit_code}"]
    if signal:
        parts.append(f"Signal: {signal}")
    if message:
        parts.append(f'Exit Message: "{message}"')
    details = {
        "exit_code": str(exit_code),
        "signal": str(signal),
        "exit_message": message,
        "oom_killed": str(oom).lower(),
    }
    if not message:
        del details["exit_message"]
    return event("Terminated", ", ".join(parts), details=details, message=message, ExitCode=exit_code, Signal=signal)


def restarting(delay: int, reason: str) -> Row:
    """The task will be started again."""
    return event(
        "Restarting",
        f"Task restarting in {duration_text(delay)}",
        details={"restart_reason": reason, "start_delay": str(delay)},
        StartDelay=delay,
        RestartReason=reason,
    )


def not_restarting(reason: str) -> Row:
    """The task will not be started again."""
    return event(
        "Not Restarting",
        reason,
        details={"restart_reason": reason, "fails_task": "true"},
        RestartReason=reason,
        FailsTask=True,
    )


def killing(timeout: int, reason: str = "") -> Row:
    """The task was asked to end."""
    text = reason or f"Sent interrupt. Waiting {duration_text(timeout)} before force killing"
    return event(
        "Killing", text, details={"kill_timeout": duration_text(timeout)}, KillTimeout=timeout, KillReason=reason
    )


def killed(error: str = "") -> Row:
    """The task was ended."""
    if error:
        return event("Killed", error, details={"kill_error": error}, KillError=error)
    return event("Killed", "Task successfully killed")


def sibling_failed(name: str) -> Row:
    """Another task of the group failed."""
    return event(
        "Sibling Task Failed",
        f'Task\'s sibling "{name}" failed',
        details={"failed_sibling": name},
        FailedSibling=name,
    )


def leader_dead() -> Row:
    """The group's leader ended."""
    return event("Leader Task Dead", "Leader Task in Group dead")


def main_dead() -> Row:
    """The group's main tasks ended, so its sidecars do."""
    return event("Main Tasks Dead", "Main tasks in the group died")


def restart_signaled(reason: str) -> Row:
    """Somebody wants the task restarted."""
    return event("Restart Signaled", reason, details={"restart_reason": reason}, RestartReason=reason)


def signaled(name: str, reason: str) -> Row:
    """The task was sent a signal."""
    text = f"Task being sent signal {name}" + (f": {reason}" if reason else "")
    details = {"signal": name, "task_signal_reason": reason}
    return event("Signaling", text, details=details, TaskSignal=name, TaskSignalReason=reason)


def alloc_unhealthy(reason: str) -> Row:
    """The allocation did not become healthy."""
    return event("Alloc Unhealthy", reason, message=reason, details={"message": reason})
