"""The application as a WSGI server loads it: `granian --interface wsgi wsgi:app`."""

import os
import signal
import sys

from hds.app import create_app
from hds.config import WrongSettings, read_settings, stated_settings
from hds.lib.processes import end_with_parent

if "HDS_SUPERVISED" in os.environ:  # a worker whose master was killed would go on serving
    end_with_parent(signal.SIGKILL)

# The doctor must be able to say what keeps the site from starting.
read = stated_settings if sys.argv[1:2] == ["doctor"] else read_settings
try:
    app = create_app(read().completed())
except WrongSettings as error:
    sys.exit(str(error))
