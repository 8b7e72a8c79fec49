"""Hudson Digital Solutions: a consultation-booking site on Cal.com. The application is made in hds.app."""
