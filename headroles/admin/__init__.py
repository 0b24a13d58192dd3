"""What an instructor may do, without Streamlit: sign-in, jobs in the background, audit log."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "access",
        "audit",
        "estimate",
        "fields",
        "for_class",
        "job_folder",
        "job_records",
        "jobs",
        "processes",
        "runner",
        "service",
        "sign_ins",
        "waiting_line",
    ],
    submod_attrs={
        "access": ["Gate", "LONGEST_SECRET", "hash_password"],
        "audit": ["AuditRow"],
        "estimate": ["Estimate"],
        "job_records": ["Job", "JobRequest", "JobView", "job_request"],
        "jobs": ["Jobs"],
        "service": ["AdminService", "Prospect", "estimate_of"],
        "sign_ins": ["SignIns", "Ticket"],
    },
)
