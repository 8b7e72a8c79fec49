"""How often one visitor may do what: the figures of `@limiter.limit(...)`.

A visitor is an address, and an office, a school or a phone network has one for all its people. So each figure is what
one busy person does, times the dozen who may follow the same mail on the same morning, and still far below what a
program does. What each person may do at Cal.com is another thing: `lib.budget`.
"""

# Each try at the form, mistakes included: a dozen colleagues who book within the hour, with two tries each.
BOOKING = "10 per minute; 30 per hour"
# A time that is kept from others while a form is open: a dozen colleagues who compare a few.
HOLDS = "20 per 10 minutes; 60 per hour"
# A code that Cal.com mails to whichever address somebody typed: a dozen colleagues, and one who waits for theirs.
CODES = "10 per 10 minutes; 30 per hour"
CODES_TO_ONE = "3 per 10 minutes; 10 per day"
# Each day or month that is looked at: somebody in a hurry opens one a second, for half a minute.
TIMES = "120 per minute; 1500 per hour"
# A page that waits for Cal.com asks every two seconds.
DONE = "240 per minute"
# Somebody's own booking, which also looks every two seconds while nobody knows what became of a wish.
MANAGE = "120 per minute; 1500 per hour"
# As one types, htmx asks up to three times a second.
SEARCH = "180 per minute"
# A switch that somebody plays with.
THEME = "60 per minute"
# A visit tells of five or six steps, in bursts.
EVENTS = "240 per minute; 3000 per hour"
# A page's picture is drawn anew where its words changed: networks fetch one for each link that somebody shares.
PICTURES = "120 per minute; 1500 per hour"
# Beside the accounts' own throttle, which counts wrong passwords: this one keeps the form itself from being hammered.
SIGN_IN = "30 per minute"
