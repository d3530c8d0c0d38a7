"""The portal: what customers and the seller see in a browser, as a Reflex app.

It owns no rule and no data: all of it is asked of the API through ``backend_client``, as the
person who is signed in. ``app`` lists the features; each feature is one folder with all that its
page needs, and knows no other feature. Below them are ``shared`` (parts that several features
show), ``shell`` (the frame around every page), ``session`` (who is behind an event) and ``kit``
(components and formatting that know nothing of Farebox's pages). ``server`` builds and serves.
"""
