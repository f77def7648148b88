"""`python app.py` is `authapp run`; imported, it offers the app to any WSGI server."""

import os

os.umask(0o077)  # before anything can make a file

if __name__ == "__main__":
    from authapp.cli import run_main

    run_main()
elif __name__ != "__mp_main__":  # a worker process that is being spawned imports this file too
    from authapp.factory import create_app

    app = create_app()
    # With a request, because a server may fork after it imported this, and threads stay behind then.
    app.before_request(app.chores.start)
