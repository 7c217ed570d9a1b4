"""The demonstration's calendar of 2027: the days off by law, and no make-up days (调休).

Invented for the demonstration: what the State Council will announce for 2027 is not in the house.
"""

from datetime import date

from services.calendar import Day

SOURCE = "演示用日历：仅按《全国年节及纪念日放假办法》列法定节日，不含调休"
HORIZON = date(2027, 12, 31)
_LAWFUL = (
    ("元旦", date(2027, 1, 1), 1),
    ("春节", date(2027, 2, 5), 4),
    ("清明节", date(2027, 4, 5), 1),
    ("劳动节", date(2027, 5, 1), 2),
    ("端午节", date(2027, 6, 9), 1),
    ("中秋节", date(2027, 9, 15), 1),
    ("国庆节", date(2027, 10, 1), 3),
)
DAYS = tuple(
    Day(first.replace(day=first.day + more), working=False, name=name)
    for name, first, days in _LAWFUL
    for more in range(days)
)
"""What is added to the calendar that is in the house."""
