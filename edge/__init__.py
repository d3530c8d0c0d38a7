"""What stands before both servers, the API's and the portal's: bounds on what a stranger can use.

Owns the limits of a request's head and of its time, the form and number of log lines, the slowing
of guesses, and what a picture is that somebody sends. Knows neither server, and no tenant: whoever
asks is an address here.
"""
