"""How it is written: tables read from files people send, and papers written for them."""
