"""What an instructor may do, without Streamlit: sign-in, jobs in the background, audit log."""
