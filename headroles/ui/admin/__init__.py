"""The instructor's page: signing in, starting, watching, looking, writing, restoring, remembering.

What an action does is in :mod:`headroles.admin.service`, which checks the sign-in every time; here
is only what the page shows. Heavy modules load on use, as in the rest of :mod:`headroles.ui`.
"""
